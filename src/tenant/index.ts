export { AdminKey } from './admin-key.js';
export { tenantIdParam } from './tenant.dto.js';
export { KeyThrottle } from './key-throttle.js';
export { CurrentTenant, TenantOrOperator } from './tenant.decorators.js';
export { TenantDirectory } from './tenant-directory.js';
export { tooManyWrongKeys } from './tenant.errors.js';
export { TenantModule } from './tenant.module.js';
export { allFeatures, type Plan, type TenantFeatures, type TenantIdentity } from './tenant.types.js';
