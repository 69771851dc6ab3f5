import { Injectable } from '@nestjs/common';
import type { QueueFigures, SessionsSection, TranscriptsSection } from './monitoring-snapshot.js';

/** The sections that modules above monitoring contribute. */
export interface SourcedSections {
  sessions: SessionsSection;
  queues: QueueFigures[];
  transcripts: TranscriptsSection;
}

type Read<Name extends keyof SourcedSections> = () =>
  SourcedSections[Name] | Promise<SourcedSections[Name] | null>;

/** What modules contribute to snapshots. They register when they are created; monitoring does not know them. */
@Injectable()
export class SnapshotSources {
  private readonly sources: { [Name in keyof SourcedSections]?: Read<Name> } = {};

  /** `read` answers null when it cannot tell at the moment. @throws Error when the section has a source */
  register<Name extends keyof SourcedSections>(section: Name, read: Read<Name>): void {
    if (this.sources[section]) throw new Error(`the section "${section}" of snapshots has two sources`);
    this.sources[section] = read as (typeof this.sources)[Name];
  }

  /** Null without a source. @throws what the source throws */
  async read<Name extends keyof SourcedSections>(section: Name): Promise<SourcedSections[Name] | null> {
    const read = this.sources[section];
    return read ? read() : null;
  }
}
