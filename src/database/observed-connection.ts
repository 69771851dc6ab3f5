import type { mongo } from 'mongoose';
import { Connection } from 'mongodb/lib/cmap/connection.js';
import type { CommandMonitor, RunningCommand } from './command-monitor.js';

/**
 * Fields whose documents the driver may send as sequences next to the command. It removes them from the
 * command when it sends it.
 */
const SEQUENCES = ['documents', 'updates', 'deletes', 'ops', 'nsInfo'] as const;

/** A copy of the command in its current state, with sequences converted to arrays. */
function copyOf(command: mongo.Document): mongo.Document {
  const copy = { ...command };
  for (const field of SEQUENCES) {
    const value: unknown = copy[field];
    if (typeof value === 'object' && value !== null && 'documents' in value) copy[field] = value.documents;
  }
  return copy;
}

/**
 * Creates a connection class whose commands `monitor` observes. The driver's own events (`monitorCommands`)
 * report the same, but to create them the driver decodes the documents of each reply a second time, which
 * costs 16 % of the main thread on a route that reads 20 messages (decision 0015). This relies on unpublished
 * parts of the driver: the client option `connectionType`, and two methods of its connections. The driver's
 * version is pinned, and the tests fail if an update changes these parts.
 */
export function observedConnection(monitor: CommandMonitor): typeof Connection {
  return class ObservedConnection extends Connection {
    /** A connection runs only one command at a time. */
    private running: RunningCommand | undefined;

    override prepareCommand(
      database: string,
      command: mongo.Document,
      options: object,
    ): { readonly command?: mongo.Document } {
      const message = super.prepareCommand(database, command, options);
      // The handshake is not a command of the application.
      if (this.established && message.command)
        this.running = monitor.begin(database, copyOf(message.command));
      return message;
    }

    override async command(...args: Parameters<Connection['command']>): Promise<unknown> {
      let ok = false;
      try {
        const reply = await super.command(...args);
        ok = true;
        return reply;
      } finally {
        const { running } = this;
        this.running = undefined;
        if (running) monitor.end(running, ok);
      }
    }
  };
}
