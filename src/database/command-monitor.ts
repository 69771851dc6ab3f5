import type { mongo } from 'mongoose';

/** Hears of each command when it is sent, within the asynchronous context of whoever sends it. Must not throw. */
export type CommandListener = (command: mongo.CommandStartedEvent) => void;

/** Hears of each command when its answer is there, within the same asynchronous context. Must not throw. */
export type CommandEndListener = (
  command: mongo.CommandStartedEvent,
  durationMs: number,
  ok: boolean,
) => void;

interface Running {
  command: mongo.CommandStartedEvent;
  begunMs: number;
}

/** Tells of the driver's commands. The driver's own durations are whole milliseconds; these are not. */
export class CommandMonitor {
  private readonly running = new Map<number, Running>();
  private readonly startListeners: CommandListener[] = [];
  private readonly endListeners: CommandEndListener[] = [];

  /** The client must be made with `monitorCommands`. */
  watch(client: mongo.MongoClient): void {
    client.on('commandStarted', (command) => {
      this.running.set(command.requestId, { command, begunMs: performance.now() });
      for (const listener of this.startListeners) listener(command);
    });
    client.on('commandSucceeded', ({ requestId }) => {
      this.end(requestId, true);
    });
    client.on('commandFailed', ({ requestId }) => {
      this.end(requestId, false);
    });
  }

  onStart(listener: CommandListener): void {
    this.startListeners.push(listener);
  }

  onEnd(listener: CommandEndListener): void {
    this.endListeners.push(listener);
  }

  private end(requestId: number, ok: boolean): void {
    const running = this.running.get(requestId);
    if (!running) return;
    this.running.delete(requestId);
    const durationMs = performance.now() - running.begunMs;
    for (const listener of this.endListeners) listener(running.command, durationMs, ok);
  }
}
