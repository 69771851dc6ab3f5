import { createConnection, createServer, type Server, type Socket } from 'node:net';

/**
 * Forwards connections to a port. After `discardTraffic`, the bytes of all open connections are silently
 * discarded while the connections stay open.
 */
export class SilentProxy {
  private readonly pairs: { client: Socket; server: Socket; isDead: boolean }[] = [];

  private constructor(
    private readonly listener: Server,
    readonly port: number,
  ) {}

  static async to(target: number): Promise<SilentProxy> {
    const listener = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    if (typeof address !== 'object' || !address) throw new Error('no port was assigned');
    const proxy = new SilentProxy(listener, address.port);
    listener.on('connection', (client) => {
      proxy.join(client, createConnection(target, '127.0.0.1'));
    });
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** The number of connections accepted so far, open or closed. */
  get connections(): number {
    return this.pairs.length;
  }

  discardTraffic(): void {
    for (const pair of this.pairs) pair.isDead = true;
  }

  /** Whether the proxy has closed none of the connections whose traffic it discards. */
  get keepsDiscardingOpen(): boolean {
    return this.pairs.filter(({ isDead }) => isDead).every(({ client }) => !client.writableEnded);
  }

  async close(): Promise<void> {
    for (const { client, server } of this.pairs) {
      client.destroy();
      server.destroy();
    }
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private join(client: Socket, server: Socket): void {
    const pair = { client, server, isDead: false };
    this.pairs.push(pair);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('data', (bytes) => {
        if (!pair.isDead) to.write(bytes);
      });
      from.on('end', () => {
        if (!pair.isDead) to.end();
      });
      from.on('error', () => undefined);
    }
  }
}
