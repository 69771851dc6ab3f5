export { AdminConsole } from './admin-console.js';
export { AdminModule } from './admin.module.js';
