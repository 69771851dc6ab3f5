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

/** Runs a whole route handler in one transaction. The handler is retried on transient errors. */
@Injectable()
export class TransactionalInterceptor implements NestInterceptor {
  constructor(private readonly transactions: TransactionRunner) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return from(this.transactions.run(() => lastValueFrom(next.handle(), { defaultValue: undefined })));
  }
}

/**
 * For a controller or a route: everything the handler writes through models is stored together, or not at
 * all.
 */
export const Transactional = (): ClassDecorator & MethodDecorator =>
  applyDecorators(UseInterceptors(TransactionalInterceptor));
