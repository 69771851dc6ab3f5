import { Injectable } from '@nestjs/common';
import { counter, type HealthFinding, Monitoring } from '../../src/monitoring/index.js';
import { NoteRepository } from './note.repository.js';

/** The section `notes` of `GET /v1/monitoring`. */
export interface NotesSection {
  /** Reminders that are more than a minute late, in all processes together. */
  overdueReminders: number;
}

const MAX_OVERDUE = 1000;

/** What this module contributes to monitoring. */
@Injectable()
export class NoteMonitoring {
  private readonly notes = counter({
    name: 'colloquy_notes_created_total',
    help: 'Notes created',
  });

  constructor(
    monitoring: Monitoring,
    private readonly repository: NoteRepository,
  ) {
    monitoring.contribute<NotesSection>({
      metrics: [this.notes],
      health: [{ name: 'notes', kind: 'degrading', run: () => this.check() }],
      snapshot: { name: 'notes', read: () => this.section() },
    });
  }

  created(): void {
    this.notes.inc();
  }

  private async section(): Promise<NotesSection> {
    return { overdueReminders: await this.repository.countOverdue(new Date(Date.now() - 60_000)) };
  }

  private async check(): Promise<HealthFinding> {
    const { overdueReminders } = await this.section();
    return overdueReminders < MAX_OVERDUE
      ? { status: 'up' }
      : { status: 'degraded', reason: `${overdueReminders} reminders are overdue` };
  }
}
