import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { TransactionRunner } from './transaction-runner.js';

/** Runs a route handler in a transaction. See `Transactional`. */
@Injectable()
export class TransactionalInterceptor implements NestInterceptor {
  constructor(private readonly transactions: TransactionRunner) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return from(this.transactions.run(() => lastValueFrom(next.handle(), { defaultValue: undefined })));
  }
}

/**
 * For a controller or a route: all writes that the handler makes through models are committed together, or
 * not at all. The driver starts the transaction on the server with the handler's first command, so a request
 * that fails validation starts none.
 *
 * After a transient error the handler runs again, within the limits of `TransactionRunner`. Therefore, pass
 * side effects outside of the database, including log lines, to `TransactionRunner.afterCommit`. Services use
 * `TransactionRunner.run` directly.
 */
export const Transactional = (): ClassDecorator & MethodDecorator =>
  applyDecorators(UseInterceptors(TransactionalInterceptor));
