/** A command that is sent to the server. */
export interface SentCommand {
  commandName: string;
  databaseName: string;
  /** Includes what the driver adds, such as session and transaction. Must not be modified. */
  command: Readonly<Record<string, unknown>>;
}

/** Called when a command is sent, in the asynchronous context of its caller. Must not throw. */
export type CommandListener = (command: SentCommand) => void;

/** Called when the reply to a command has arrived, in the same asynchronous context. Must not throw. */
export type CommandEndListener = (command: SentCommand, durationMs: number, ok: boolean) => void;

export interface RunningCommand extends SentCommand {
  begunMs: number;
}

/** Forwards the commands of connections to listeners; see `observedConnection`. */
export class CommandMonitor {
  private readonly startListeners: CommandListener[] = [];
  private readonly endListeners: CommandEndListener[] = [];

  onStart(listener: CommandListener): void {
    this.startListeners.push(listener);
  }

  onEnd(listener: CommandEndListener): void {
    this.endListeners.push(listener);
  }

  /** Must be called by a connection before it sends; the result must be passed to `end`. */
  begin(databaseName: string, command: Readonly<Record<string, unknown>>): RunningCommand {
    // The first key of a command is its name. The driver adds its own keys after it.
    const [commandName = ''] = Object.keys(command);
    const running = { commandName, databaseName, command, begunMs: performance.now() };
    for (const listener of this.startListeners) listener(running);
    return running;
  }

  end(running: RunningCommand, ok: boolean): void {
    const durationMs = performance.now() - running.begunMs;
    for (const listener of this.endListeners) listener(running, durationMs, ok);
  }
}
