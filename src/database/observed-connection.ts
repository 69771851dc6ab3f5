import type { mongo } from 'mongoose';
import { Connection } from 'mongodb/lib/cmap/connection.js';
import type { CommandMonitor, RunningCommand } from './command-monitor.js';

/** Fields whose documents the driver may send as sequences of their own beside the command; it takes them out of it when it sends. */
const SEQUENCES = ['documents', 'updates', 'deletes', 'ops', 'nsInfo'] as const;

/** The command as it is now, with sequences as arrays. */
function copyOf(command: mongo.Document): mongo.Document {
  const copy = { ...command };
  for (const field of SEQUENCES) {
    const value: unknown = copy[field];
    if (typeof value === 'object' && value !== null && 'documents' in value) copy[field] = value.documents;
  }
  return copy;
}

/**
 * The class of connections for a client whose commands `monitor` observes. The driver's own events (`monitorCommands`) tell
 * the same, but to make them the driver decodes the documents of each reply a second time: some 3 % of all the work of the main thread
 * under load. This relies on what the driver does not publish: `connectionType` among the client's options, and two methods of its
 * connections. The driver's version is pinned, and specs fail when another one no longer goes this way.
 */
export function observedConnection(monitor: CommandMonitor): typeof Connection {
  return class ObservedConnection extends Connection {
    /** A connection runs one command at a time. */
    private running: RunningCommand | undefined;

    override prepareCommand(
      database: string,
      command: mongo.Document,
      options: object,
    ): { readonly command?: mongo.Document } {
      const message = super.prepareCommand(database, command, options);
      // The handshake is no command of anybody's.
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
