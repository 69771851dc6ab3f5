import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReportListener {
  /** For SENTRY_DSN. */
  dsn: string;
  close(): Promise<void>;
}

/** Starts a server that accepts error reports and discards them. */
export async function startReportListener(): Promise<ReportListener> {
  const server = createServer((request, response) => {
    request
      .resume()
      .on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    dsn: `http://publickey@127.0.0.1:${port}/1`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
