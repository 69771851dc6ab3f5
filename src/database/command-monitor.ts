/** A command as it is sent to the server. */
export interface SentCommand {
  commandName: string;
  databaseName: string;
  /** With what the driver adds to it, such as session and transaction. Must not be changed. */
  command: Readonly<Record<string, unknown>>;
}

/** Called with each command when it is sent, in the asynchronous context of its caller. Must not throw. */
export type CommandListener = (command: SentCommand) => void;

/** Called with each command when its reply has arrived, in the same asynchronous context. Must not throw. */
export type CommandEndListener = (command: SentCommand, durationMs: number, ok: boolean) => void;

export interface RunningCommand extends SentCommand {
  begunMs: number;
}

/** Passes the commands of connections on to listeners; see `observedConnection`. */
export class CommandMonitor {
  private readonly startListeners: CommandListener[] = [];
  private readonly endListeners: CommandEndListener[] = [];

  onStart(listener: CommandListener): void {
    this.startListeners.push(listener);
  }

  onEnd(listener: CommandEndListener): void {
    this.endListeners.push(listener);
  }

  /** To be called by a connection that is about to send; the result must be passed to `end`. */
  begin(databaseName: string, command: Readonly<Record<string, unknown>>): RunningCommand {
    // The first key of a command is its name, and the driver adds its own behind it.
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
