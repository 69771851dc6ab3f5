import type { ServerResponse } from 'node:http';

/** Whether a response has been sent, or its client has disconnected. */
export const isClosed = ({ destroyed, req }: ServerResponse): boolean => destroyed || req.socket.destroyed;

/**
 * Calls `closed` once, when the response has been sent or its client has disconnected. The event `close` of the
 * response is not enough: Node.js does not emit it for a response that waits for an earlier one on its connection.
 * @returns a function that prevents the call
 */
export function whenClosed(response: ServerResponse, closed: () => void): () => void {
  const { socket } = response.req;
  const cancel = (): void => {
    response.off('close', call);
    socket.off('close', call);
  };
  let isCalled = false;
  const call = (): void => {
    cancel();
    // Events that are being emitted still reach listeners that are removed.
    if (!isCalled) closed();
    isCalled = true;
  };
  // A client may send many requests on a connection without waiting for the responses.
  socket.setMaxListeners(0);
  response.once('close', call);
  socket.once('close', call);
  return cancel;
}
