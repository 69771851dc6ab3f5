/** A command as it is sent to the server. */
export interface SentCommand {
  commandName: string;
  databaseName: string;
  /** With what the driver adds to it, such as session and transaction. Not to be changed. */
  command: Readonly<Record<string, unknown>>;
}

/** Hears of each command when it is sent, within the asynchronous context of whoever sends it. Must not throw. */
export type CommandListener = (command: SentCommand) => void;

/** Hears of each command when its answer is there, within the same asynchronous context. Must not throw. */
export type CommandEndListener = (command: SentCommand, durationMs: number, ok: boolean) => void;

export interface RunningCommand extends SentCommand {
  begunMs: number;
}

/** Tells of the commands of connections that report to it; see `observedConnection`. */
export class CommandMonitor {
  private readonly startListeners: CommandListener[] = [];
  private readonly endListeners: CommandEndListener[] = [];

  onStart(listener: CommandListener): void {
    this.startListeners.push(listener);
  }

  onEnd(listener: CommandEndListener): void {
    this.endListeners.push(listener);
  }

  /** For a connection that is about to send; what it gets is to be given to `end`. */
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
