import type { Plan } from '../config/index.js';
import { ProblemError } from '../http/index.js';
import type { Usage, UsageLimits } from './tenant.types.js';

export const apiKeyMissing = (): ProblemError =>
  new ProblemError({
    status: 401,
    code: 'api_key_missing',
    title: 'An API key is required',
    detail: 'Send your key as "Authorization: Bearer <key>".',
  });

/** Does not give the reason, so that unknown, wrong and revoked keys are indistinguishable. */
export const apiKeyInvalid = (): ProblemError =>
  new ProblemError({
    status: 401,
    code: 'api_key_invalid',
    title: 'The API key is not valid',
    detail: 'The key is unknown or was revoked.',
  });

export const adminKeyRequired = (): ProblemError =>
  new ProblemError({
    status: 403,
    code: 'admin_key_required',
    title: 'The admin key is required',
    detail: "This route is for operators; it does not accept a tenant's key.",
  });

export const tenantKeyRequired = (): ProblemError =>
  new ProblemError({
    status: 403,
    code: 'tenant_key_required',
    title: "A tenant's key is required",
    detail: 'This route works on the data of one tenant; the admin key does not belong to a tenant.',
  });

export const tenantInactive = (): ProblemError =>
  new ProblemError({
    status: 403,
    code: 'tenant_inactive',
    title: 'The tenant is inactive',
    detail: 'An operator has deactivated this tenant; its data is kept.',
  });

export const tenantExists = (tenantId: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'tenant_exists',
    title: 'The tenant already exists',
    detail: `A tenant "${tenantId}" already exists; choose another id.`,
  });

/** The same for a wrong key and for the right admin key, so that it does not tell which one it was. */
export const tooManyWrongKeys = (retryAfterSeconds: number): ProblemError =>
  new ProblemError({
    status: 429,
    code: 'too_many_wrong_keys',
    title: 'Too many wrong keys',
    detail: `Too many wrong keys were sent from this address. Try again in ${retryAfterSeconds} seconds. Valid keys of tenants are still accepted.`,
    retryAfterSeconds,
  });

export const tenantBeingDeleted = (tenantId: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'tenant_being_deleted',
    title: 'The tenant is being deleted',
    detail: `The deletion of tenant "${tenantId}" has not ended. Its id is free once GET /v1/tenants/${encodeURIComponent(tenantId)} returns 404.`,
  });

export const quotaExceeded = (plan: Plan, usage: Usage, limits: UsageLimits): ProblemError =>
  new ProblemError({
    status: 507,
    code: 'quota_exceeded',
    title: 'The quota is used up',
    detail:
      `The plan "${plan}" allows ${limitText(limits)}; ${usage.bytes} bytes in ${usage.documents} documents are stored. ` +
      'Delete conversations or transcripts, or ask the operator for another plan. Reads and deletions still work.',
  });

const limitText = ({ bytes, documents }: UsageLimits): string =>
  [
    ...(bytes === undefined ? [] : [`${bytes} bytes`]),
    ...(documents === undefined ? [] : [`${documents} documents`]),
  ].join(' and ');

export const rateLimited = (perMinute: number, retryAfterSeconds: number): ProblemError =>
  new ProblemError({
    status: 429,
    code: 'rate_limited',
    title: 'Too many requests',
    detail: `A tenant may send ${perMinute} requests per minute.`,
    retryAfterSeconds,
  });

export const dataErased = (): ProblemError =>
  new ProblemError({
    status: 410,
    code: 'erased',
    title: 'The data of this participant was erased',
    detail:
      'An externalId of the request belonged to a participant whose data was erased; nothing was stored. ' +
      'The participant may write again with new ids.',
  });
