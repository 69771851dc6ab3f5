import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type ConnectionLimits, limitConnections } from './connection-limits.js';

describe('limitConnections', () => {
  let server: Server;
  let clients: Socket[];

  const start = async (limits: Partial<ConnectionLimits>, listener: RequestListener): Promise<number> => {
    server = createServer(listener);
    limitConnections(server, { idleMs: 60_000, max: 0, maxPerAddress: 0, ...limits });
    clients = [];
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const open = (port: number): Socket => {
    const client = connect(port, '127.0.0.1');
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  afterEach(async () => {
    for (const client of clients) client.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  it('disconnects a client that does not read its response', async () => {
    const port = await start({ idleMs: 50 }, (_request, response) => {
      response.end(Buffer.alloc(50_000_000));
    });
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = open(port);
    client.pause();
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [connection] = await accepted;
    await once(connection, 'close');
    expect(connection.destroyed).toBe(true);
  });

  it('does not interrupt a request that takes longer to process', async () => {
    const port = await start({ idleMs: 50 }, (_request, response) => {
      server.once('timeout', () => response.end('done'));
    });
    const [response] = (await once(get({ port, host: '127.0.0.1', agent: false }), 'response')) as [
      IncomingMessage,
    ];
    expect(await response.toArray()).toEqual([Buffer.from('done')]);
  });

  it('disconnects a client that sends nothing', async () => {
    const port = await start({ idleMs: 50 }, () => undefined);
    const client = open(port).resume();
    await once(client, 'close');
    expect(client.destroyed).toBe(true);
  });

  it('refuses connections above the maximum per address until one is closed', async () => {
    const port = await start({ maxPerAddress: 2 }, (_request, response) => response.end('ok'));
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const first = open(port);
    const [connection] = await accepted;
    await once(open(port), 'connect');
    const answer = Buffer.concat((await open(port).toArray()) as Buffer[]).toString();
    expect(answer).toContain('429 Too Many Requests');
    expect(answer).toContain('"too_many_connections"');

    first.destroy();
    await once(connection, 'close');
    const next = open(port);
    next.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(Buffer.concat((await next.toArray()) as Buffer[]).toString()).toContain('200 OK');
  });

  it('limits the number of all connections', async () => {
    await start({ max: 7 }, () => undefined);
    expect(server.maxConnections).toBe(7);
  });
});
