export { AdminOnly, Public } from '../common/index.js';
export { CurrentTenant } from './tenant.decorators.js';
export { TenantModule, type TenantModuleOptions } from './tenant.module.js';
export { ADMIN_API_KEY_VALUE } from './tenant.tokens.js';
export type { Plan, TenantIdentity } from './tenant.types.js';
