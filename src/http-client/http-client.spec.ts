import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpClient, type HttpClientOptions, ResponseTooLargeError } from './http-client.js';

describe('HttpClient', () => {
  let server: Server;
  let port: number;
  let received: IncomingMessage[];
  let answer: (response: ServerResponse) => void;
  const clients: HttpClient[] = [];

  const request = (path = '/', options: HttpClientOptions = {}, signal = new AbortController().signal) => {
    const client = new HttpClient(options);
    clients.push(client);
    const url = new URL(path, `http://127.0.0.1:${port}`);
    return client.request({ method: 'POST', url, headers: { 'x-a': 'b' }, body: 'hello', signal });
  };

  beforeAll(async () => {
    server = createServer((incoming, response) => {
      received.push(incoming);
      incoming.resume().on('end', () => {
        answer(response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  beforeEach(() => {
    received = [];
    answer = (response) => response.writeHead(200, { 'retry-after': '2' }).end('hi');
  });
  afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())));
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('returns status, Retry-After and body', async () => {
    expect(await request('/path?q=1')).toMatchObject({ status: 200, retryAfter: '2', body: 'hi' });
    expect(received[0]).toMatchObject({ url: '/path?q=1', method: 'POST' });
    expect(received[0]?.headers).toMatchObject({ 'x-a': 'b', 'content-length': '5' });
  });

  it('sends the user and password in the URL', async () => {
    await request(`http://me:p%40ss@127.0.0.1:${port}/`);
    const basic = Buffer.from('me:p@ss').toString('base64');
    expect(received[0]?.headers.authorization).toBe(`Basic ${basic}`);
  });

  it('does not follow redirects', async () => {
    answer = (response) => response.writeHead(302, { location: '/other' }).end();
    expect((await request()).status).toBe(302);
    expect(received).toHaveLength(1);
  });

  it('reads a response up to the size limit, and no further', async () => {
    answer = (response) => response.end('x'.repeat(1000));
    expect((await request('/', { maxResponseBytes: 1000 })).body).toHaveLength(1000);
    await expect(request('/', { maxResponseBytes: 999 })).rejects.toEqual(new ResponseTooLargeError(999));
  });

  it('connects only to addresses that its lookup returns', async () => {
    const lookup: HttpClientOptions['lookup'] = (hostname, _options, callback) => {
      if (hostname === 'bot.example.com') callback(null, [{ address: '127.0.0.1', family: 4 }]);
      else callback(new Error('refused'), []);
    };
    expect((await request(`http://bot.example.com:${port}/`, { lookup })).status).toBe(200);
    await expect(request(`http://other.example.com:${port}/`, { lookup })).rejects.toThrow('refused');
    expect(received).toHaveLength(1);
  });

  it('rejects with the reason of its signal', async () => {
    const abort = new AbortController();
    answer = () => {
      abort.abort(new Error('gone'));
    };
    await expect(request('/', {}, abort.signal)).rejects.toThrow('gone');
  });

  it('rejects with the reason of its signal while it still connects', async () => {
    const abort = new AbortController();
    const lookup: HttpClientOptions['lookup'] = () => {
      abort.abort(new Error('gone'));
    };
    await expect(request(`http://bot.example.com:${port}/`, { lookup }, abort.signal)).rejects.toThrow(
      'gone',
    );
  });
});
