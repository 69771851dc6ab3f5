import { z } from 'zod';
import { MAX_RETENTION_DAYS, plans, type RetentionKind, retentionKinds } from '../config/index.js';
import { externalName, nullIsAbsent, pageLimit, visibleText } from '../http/index.js';
import type { ApiKey, Tenant, TenantFeatures } from './tenant.types.js';

export const tenantIdParam = externalName.max(64).meta({ description: 'Tenant id', example: 'acme' });

/**
 * Operators compare and type the ids of tenants, so a new one has no letters that look like others or are
 * invisible.
 */
const newTenantId = z
  .string()
  .min(1)
  .max(64)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:@+-]*$/,
    'must begin with a letter or digit of ASCII and may only contain these and . _ : @ + -',
  )
  .meta({ description: 'Tenant id', example: 'acme' });
export const keyIdParam = z
  .string()
  .regex(/^[0-9a-f]{16}$/, 'must be a key id of 16 lowercase hexadecimal digits')
  .meta({ description: 'Key id', example: '5f0c1e9a7b3d2468' });

// Any script is allowed, but no control characters, which could forge lines in logs and terminals.
const displayName = visibleText(200)
  .regex(/^\P{Cc}*$/u, 'must not contain control characters')
  .meta({ description: 'Display name', example: 'Acme Travel' });

const plan = z.enum(plans);

const features = z.strictObject({
  responder: z.boolean().meta({
    description: 'false: messages are stored, no responder is called, and `reply` is null',
  }),
  sharedState: z.boolean().meta({
    description: "false: the tenant's sessions and cache entries are not kept in Redis",
  }),
  transcripts: z.boolean().meta({ description: 'false: no transcripts are stored' }),
}) satisfies z.ZodType<TenantFeatures>;

/** An object with one optional member for each kind of data with a retention policy. */
const byKind = <Schema extends z.ZodType>(
  schema: Schema,
): z.ZodObject<Record<RetentionKind, z.ZodOptional<Schema>>> =>
  z.strictObject(
    Object.fromEntries(retentionKinds.map((kind) => [kind, schema.optional()])) as Record<
      RetentionKind,
      z.ZodOptional<Schema>
    >,
  );

const retentionDays = z.int().min(0).max(MAX_RETENTION_DAYS);
const retention = byKind(retentionDays).meta({
  description:
    'Days after which data of this tenant is archived, where they differ from the settings; 0: never',
  example: { conversations: 90 },
});

export const createTenantBody = nullIsAbsent(
  z.strictObject({ id: newTenantId, name: displayName, plan: plan.default('free') }),
).meta({ example: { id: 'acme', name: 'Acme Travel', plan: 'pro' } });
export type CreateTenantBody = z.output<typeof createTenantBody>;

export const updateTenantBody = z
  .strictObject({
    name: displayName.optional(),
    plan: plan.optional(),
    isActive: z
      .boolean()
      .optional()
      .meta({ description: "false: requests with the tenant's keys receive 403" }),
    features: features
      .partial()
      .optional()
      .meta({ description: 'Feature switches of the tenant; omitted ones are not changed' }),
    retention: byKind(retentionDays.nullable())
      .optional()
      .meta({
        description:
          'Days after which data of this tenant is archived; 0: never, null: as in the settings; omitted ones are not changed',
        example: { conversations: 90, jobs: null },
      }),
  })
  .meta({ example: { plan: 'enterprise' } });
export type UpdateTenantBody = z.output<typeof updateTenantBody>;

export const pageQuery = z.strictObject({ limit: pageLimit, cursor: z.string().max(200).optional() });
export type PageQuery = z.output<typeof pageQuery>;

const instant = z.string().meta({ format: 'date-time', example: '2026-11-21T12:00:00.000Z' });

export const tenantViewSchema = z.object({
  id: tenantIdParam,
  name: z.string(),
  plan,
  isActive: z.boolean(),
  features,
  retention,
  createdAt: instant,
  updatedAt: instant,
  deletion: z
    .object({ startedAt: instant, documents: z.int().meta({ description: 'Deleted so far' }) })
    .optional()
    .meta({ description: 'Present while the tenant is being deleted' }),
});
export type TenantView = z.output<typeof tenantViewSchema>;

const limit = z.int().nullable().meta({ description: 'Limit of its plan; null: none' });
export const usageViewSchema = z.object({
  bytes: z.int().meta({ description: 'Size of its documents' }),
  documents: z.int(),
  limits: z.object({ bytes: limit, documents: limit }),
});
export type UsageView = z.output<typeof usageViewSchema>;

export const identityViewSchema = tenantViewSchema.pick({ id: true, name: true, plan: true });
export type IdentityView = z.output<typeof identityViewSchema>;

export const apiKeyViewSchema = z.object({
  id: keyIdParam,
  hint: z
    .string()
    .meta({ description: 'The first characters of the key', example: 'ck_5f0c1e9a7b3d2468_Zk9x' }),
  createdAt: instant,
  revokedAt: instant.nullable(),
  lastUsedAt: instant.nullable().meta({ description: 'Accurate to ten minutes' }),
});
export type ApiKeyView = z.output<typeof apiKeyViewSchema>;

const apiKeyText = z
  .string()
  .meta({ description: 'The key; it is shown only once', example: 'ck_5f0c1e9a7b3d2468_...' });

export const createdTenantSchema = z.object({ tenant: tenantViewSchema, apiKey: apiKeyText });
export const createdKeySchema = z.object({ key: apiKeyViewSchema, apiKey: apiKeyText });

const pageOf = <Schema extends z.ZodType>(
  row: Schema,
): z.ZodObject<{ data: z.ZodArray<Schema>; nextCursor: z.ZodNullable<z.ZodString> }> =>
  z.object({ data: z.array(row), nextCursor: z.string().nullable() });

export const tenantPageSchema = pageOf(tenantViewSchema);
export const apiKeyPageSchema = pageOf(apiKeyViewSchema);

export const tenantView = (tenant: Tenant): TenantView => ({
  id: tenant.tenantId,
  name: tenant.name,
  plan: tenant.plan,
  isActive: tenant.isActive,
  features: tenant.features,
  retention: { ...tenant.retention },
  createdAt: tenant.createdAt.toISOString(),
  updatedAt: tenant.updatedAt.toISOString(),
  ...(tenant.deletion && {
    deletion: {
      startedAt: tenant.deletion.startedAt.toISOString(),
      documents: tenant.deletion.documents,
    },
  }),
});

export const apiKeyView = ({
  keyId,
  hint,
  createdAt,
  revokedAt,
  lastUsedAt,
}: Omit<ApiKey, 'tenantId'>): ApiKeyView => ({
  id: keyId,
  hint,
  createdAt: createdAt.toISOString(),
  revokedAt: revokedAt?.toISOString() ?? null,
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
});
