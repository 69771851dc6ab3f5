import { ProblemError } from '../http/index.js';

export const loginRequired = (): ProblemError =>
  new ProblemError({
    status: 401,
    code: 'admin_login_required',
    title: 'Sign-in required',
    detail: 'Sign in at /admin/login, or send the admin key as "Authorization: Bearer <key>".',
  });

export const foreignOrigin = (): ProblemError =>
  new ProblemError({
    status: 403,
    code: 'foreign_origin',
    title: 'The request came from another site',
    detail: 'Browsers may only make changes from pages of this service.',
  });
