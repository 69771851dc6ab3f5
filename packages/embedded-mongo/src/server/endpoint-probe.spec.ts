import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isListening, mayListen } from './endpoint-probe.js';

describe('probing an endpoint', () => {
  it('distinguishes a unix socket with a server from one without', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'probe-'));
    const path = join(dir, 's.sock');
    const uri = `mongodb://${encodeURIComponent(path)}/?directConnection=true`;
    const server = createServer((socket) => socket.destroy()).listen(path);
    await once(server, 'listening');
    expect([await isListening(uri), await mayListen(uri)]).toEqual([true, true]);
    server.close();
    await once(server, 'close');
    expect([await isListening(uri), await mayListen(uri)]).toEqual([false, false]);
    rmSync(dir, { recursive: true, force: true });
  });

  it('distinguishes a port with a server from a closed one', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const uri = `mongodb://127.0.0.1:${(server.address() as AddressInfo).port}/?directConnection=true`;
    expect([await isListening(uri), await mayListen(uri)]).toEqual([true, true]);
    server.close();
    await once(server, 'close');
    expect([await isListening(uri), await mayListen(uri)]).toEqual([false, false]);
  });

  it('does not report a server as gone after an inconclusive error', async () => {
    // Fails with ENOTDIR.
    const uri = `mongodb://${encodeURIComponent('/dev/null/s.sock')}/?directConnection=true`;
    expect([await isListening(uri), await mayListen(uri)]).toEqual([false, true]);
  });
});
