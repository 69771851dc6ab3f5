import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { isClosed, whenClosed } from './response-closed.js';

describe('the end of a response', () => {
  const responses: ServerResponse[] = [];
  const server = createServer((_request, response) => {
    responses.push(response);
    server.emit('arrived');
  });
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  beforeEach(() => (responses.length = 0));
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  /** Sends requests on one connection without waiting for the responses. */
  async function pipelined(count: number) {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
    while (responses.length < count) await once(server, 'arrived');
    return { client, responses: [...responses] };
  }

  it('is noticed once for each response, also of those that wait for earlier ones, if the client disconnects', async () => {
    const { client, responses } = await pipelined(20);
    const closed = responses.map((response) => {
      const call = jest.fn();
      whenClosed(response, call);
      return call;
    });
    expect(responses.map(isClosed)).toEqual(Array(20).fill(false));
    const [first] = responses;
    client.destroy();
    if (first) await once(first, 'close');
    expect(closed.map((call) => call.mock.calls.length)).toEqual(Array(20).fill(1));
    expect(responses.map(isClosed)).toEqual(Array(20).fill(true));
  });

  it('is noticed when the response was sent, and leaves nothing behind on the connection', async () => {
    const { client, responses } = await pipelined(1);
    const [response] = responses;
    if (!response) throw new Error('There was no request.');
    const { socket } = response.req;
    const before = socket.listenerCount('close');
    const call = jest.fn();
    whenClosed(response, call);
    const cancelled = jest.fn();
    for (let n = 0; n < 10; n++) whenClosed(response, cancelled)();
    response.end();
    await once(response, 'close');
    expect(call).toHaveBeenCalledTimes(1);
    expect(cancelled).not.toHaveBeenCalled();
    expect(socket.listenerCount('close')).toBeLessThanOrEqual(before);
    client.destroy();
  });
});
