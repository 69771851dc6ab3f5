export { AdminKey } from './admin-key.js';
export { bearerOf } from './request-identity.js';
export { CurrentTenant, TenantOrOperator } from './tenant.decorators.js';
export { type TenantData, TenantDeletion } from './tenant-deletion.js';
export { tenantInactive } from './tenant.errors.js';
export { TenantDirectory } from './tenant-directory.js';
export { TenantModule } from './tenant.module.js';
export { allFeatures, type Plan, type TenantFeatures, type TenantIdentity } from './tenant.types.js';
