import type { Socket } from 'node:net';
import type { ConnectionInfo } from '../commands/host.js';
import type { Doc } from '../values/bson.js';
import type { Dispatcher } from './dispatcher.js';
import { FrameReader, parseMessage, type WireRequest } from './framing.js';
import { awaitedHello, waitForChange } from './hello-stream.js';
import type { ServerState } from './state.js';

/** A client connection. Its requests run one at a time, in order of arrival. */
export class Connection implements ConnectionInfo {
  client: Doc | undefined;
  private readonly reader = new FrameReader();
  private serving = false;
  private closed = false;
  private waiting = false;
  private readonly closing = new AbortController();

  constructor(
    readonly id: number,
    private readonly socket: Socket,
    private readonly state: ServerState,
    private readonly dispatcher: Dispatcher,
    private readonly onClose: (connection: Connection) => void,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
  }

  get remoteAddress(): string {
    const { remoteAddress, remotePort } = this.socket;
    return remoteAddress === undefined ? 'unix socket' : `${remoteAddress}:${remotePort ?? 0}`;
  }

  /** True while a command runs, except while a monitoring hello waits. */
  get busy(): boolean {
    return this.serving && !this.waiting;
  }

  /** Closes the socket and interrupts a running command. */
  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    this.closing.abort();
    this.socket.destroy();
    this.onClose(this);
  }

  private receive(chunk: Buffer): void {
    this.reader.push(chunk);
    if (!this.serving) void this.serve();
  }

  private async serve(): Promise<void> {
    this.serving = true;
    try {
      for (;;) {
        const frame = this.closed ? undefined : this.reader.next();
        if (!frame) break;
        await this.respond(parseMessage(frame));
      }
    } catch (error) {
      if (!this.closed) {
        this.state.log(
          'warn',
          `connection ${this.id} closed: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      this.destroy();
    } finally {
      this.serving = false;
      if (this.state.closing) this.destroy();
    }
  }

  private async respond(request: WireRequest): Promise<void> {
    const awaited = awaitedHello(request);
    if (awaited) return this.streamHello(request, awaited.maxAwaitMs);
    const { connections } = this.state.metrics;
    connections.active += 1;
    try {
      let outcome = await this.dispatcher.handle(request, this);
      while (outcome !== 'close' && outcome.moreToCome) {
        await this.send(outcome.message);
        if (this.closed) return this.dispatcher.abandon(request);
        outcome = await this.dispatcher.handle(request, this, { responseTo: outcome.id, streams: false });
      }
      if (outcome === 'close') this.destroy();
      else if (!request.moreToCome) await this.send(outcome.message);
    } finally {
      connections.active -= 1;
    }
  }

  /** Responds to a monitor's hello after every `maxAwaitMs`, as long as the client allows. */
  private async streamHello(request: WireRequest, maxAwaitMs: number): Promise<void> {
    let responseTo = request.requestId;
    for (;;) {
      this.waiting = true;
      await waitForChange(maxAwaitMs, this.closing.signal);
      this.waiting = false;
      if (this.closed) return;
      const outcome = await this.dispatcher.handle(request, this, { responseTo, streams: true });
      if (outcome === 'close') return this.destroy();
      responseTo = outcome.id;
      await this.send(outcome.message);
      if (!outcome.moreToCome) return;
    }
  }

  private async send(message: Buffer): Promise<void> {
    if (this.closed || this.socket.write(message)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.socket.off('drain', done);
        this.closing.signal.removeEventListener('abort', done);
        resolve();
      };
      this.socket.once('drain', done);
      this.closing.signal.addEventListener('abort', done, { once: true });
    });
  }
}
