import { connect, type Socket } from 'node:net';

export interface Answer {
  status: number;
  body: string;
}

interface Waiter {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

const END_OF_HEAD = '\r\n\r\n';

/** A complete HTTP request, built before the measurement starts. */
export function httpRequest(method: string, path: string, key: string, body?: unknown): Buffer {
  const payload = Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: Bearer ${key}`,
    ...(body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${payload.length}`]),
  ];
  return Buffer.concat([Buffer.from(head.join('\r\n') + END_OF_HEAD), payload]);
}

/**
 * One connection that sends one request at a time. It implements only the parts of HTTP that the measured
 * server uses, because a full client would take processor time away from that server.
 */
export class BenchConnection {
  private received = '';
  private waiter: Waiter | undefined;
  /** Whether the server announced that it will close this connection. */
  isEnding = false;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      this.received += chunk;
      this.read();
    });
    socket.on('error', (error) => this.waiter?.reject(error));
    socket.on('close', () => this.waiter?.reject(new Error('the server closed the connection')));
  }

  static open(url: string): Promise<BenchConnection> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => resolve(new BenchConnection(socket)));
      socket.once('error', reject);
    });
  }

  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject };
      this.socket.write(request);
    });
  }

  /** Whether a response has started and is incomplete. */
  get isMidResponse(): boolean {
    return this.received !== '';
  }

  close(): void {
    this.socket.destroy();
  }

  private read(): void {
    const head = this.received.indexOf(END_OF_HEAD);
    if (head < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.received.slice(0, head))?.[1]);
    if (Number.isNaN(length)) {
      this.waiter?.reject(new Error('a response without content-length'));
      return;
    }
    const from = head + END_OF_HEAD.length;
    if (this.received.length < from + length) return;
    if (/\r\nconnection: close/i.test(this.received.slice(0, head))) this.isEnding = true;
    const status = Number(this.received.slice(9, 12));
    const body = this.received.slice(from, from + length);
    this.received = this.received.slice(from + length);
    this.waiter?.resolve({ status, body });
  }
}

export interface Load {
  requests: readonly Buffer[];
  clients: number;
  /**
   * Total requests per second of all clients. If unset, each client sends its next request as soon as it has
   * received a response.
   */
  perSecond?: number | undefined;
  /** The expected status of each response. */
  status: number;
}

export interface LoadResult {
  /**
   * Duration of each request as seen by the client, ms. With a rate, it is measured from the time at which
   * the request was due.
   */
  times: number[];
  seconds: number;
  bodies: string[];
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends all requests. @throws Error on the first response with another status */
export async function runLoad(url: string, load: Load): Promise<LoadResult> {
  const { requests, clients, perSecond, status } = load;
  const connections = await Promise.all(Array.from({ length: clients }, () => BenchConnection.open(url)));
  const times: number[] = [];
  const bodies: string[] = new Array<string>(requests.length).fill('');
  const begun = performance.now();
  let next = 0;
  const client = async (connection: BenchConnection): Promise<void> => {
    for (let n = next++; n < requests.length; n = next++) {
      const due = perSecond === undefined ? performance.now() : begun + (n / perSecond) * 1000;
      const early = due - performance.now();
      if (early > 0) await sleep(early);
      // A timer may fire late. Only the wait for a free connection is attributed to the server.
      const from = early > 0 ? performance.now() : due;
      const answer = await connection.send(requests[n] ?? Buffer.alloc(0));
      times.push(performance.now() - from);
      if (answer.status !== status)
        throw new Error(`unexpected status ${answer.status}: ${answer.body.slice(0, 500)}`);
      bodies[n] = answer.body;
    }
  };
  try {
    await Promise.all(connections.map(client));
  } finally {
    for (const connection of connections) connection.close();
  }
  return { times, seconds: (performance.now() - begun) / 1000, bodies };
}
