export { AdminKey } from './admin-key.js';
export { ApiKeyGuard } from './api-key.guard.js';
export { bearerOf } from './request-identity.js';
export { CurrentTenant, TenantOrOperator } from './tenant.decorators.js';
export { TenantDirectory } from './tenant-directory.js';
export { TenantModule } from './tenant.module.js';
export { allFeatures, type Plan, type TenantFeatures, type TenantIdentity } from './tenant.types.js';
