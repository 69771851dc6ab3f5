import { Injectable } from '@nestjs/common';
import type { UnitOfWork } from './unit-of-work.js';

/** Commits units of work, those that arrive together in one transaction. */
@Injectable()
export class GroupCommit {
  /**
   * Returns what `unit.write` returned, once it is committed.
   * @throws DuplicateKeyError when a unique index refuses an insert of this unit; DatabaseBusyError (503) when too much waits
   */
  commit<T>(unit: UnitOfWork<T>): Promise<T> {
    return Promise.reject(new Error(`not built yet: ${String(unit.bytes)}`));
  }
}
