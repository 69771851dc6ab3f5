export { AdminConsole } from './admin-console.js';
export { AdminModule } from './admin.module.js';
export type { ServiceSnapshot } from './dashboard/service-snapshot.js';
