import { Injectable } from '@nestjs/common';
import type { SlowOperation } from '../snapshot/monitoring-snapshot.js';

const MAX_OPERATIONS = 50;

/** The last slow requests and database commands, for people to look at; the log has all of them. */
@Injectable()
export class SlowOperations {
  private readonly operations: SlowOperation[] = [];

  note(operation: Omit<SlowOperation, 'at'>): void {
    this.operations.push({ at: new Date().toISOString(), ...operation });
    if (this.operations.length > MAX_OPERATIONS) this.operations.shift();
  }

  /** The latest first. */
  latest(): SlowOperation[] {
    return this.operations.toReversed();
  }
}
