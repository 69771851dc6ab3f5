import { Module } from '@nestjs/common';
import { AdminKey } from '../tenant/index.js';
import { AdminConsole } from './admin-console.js';
import { AdminController } from './admin.controller.js';
import { AdminGate } from './admin-gate.js';
import { QueueBoard } from './board/queue-board.js';
import { AdminSessions } from './session/admin-sessions.js';
import { LoginLimiter } from './session/login-limiter.js';

/** The pages of operators: sign-in, and what stands behind it. */
@Module({
  controllers: [AdminController],
  providers: [
    {
      provide: AdminSessions,
      useFactory: (key: AdminKey) => new AdminSessions(key.derive('admin sessions'), () => Date.now()),
      inject: [AdminKey],
    },
    { provide: LoginLimiter, useFactory: () => new LoginLimiter(() => performance.now()) },
    AdminGate,
    QueueBoard,
    AdminConsole,
  ],
})
export class AdminModule {}
