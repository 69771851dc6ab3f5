import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/** Headers by their names in lower case. They depend on the settings alone, so they are made once. */
export type Headers = Readonly<Record<string, string>>;

/** Helmet's headers, for the HTML pages: admin pages and /docs. */
export function pageHeaders({ isProduction }: { isProduction: boolean }): Headers {
  const headers: Record<string, string> = {};
  const response = {
    setHeader: (name: string, value: string) => void (headers[name.toLowerCase()] = value),
    removeHeader: () => undefined,
  };
  const protect = helmet({
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        upgradeInsecureRequests: null,
      },
    },
    strictTransportSecurity: isProduction,
  });
  protect({} as IncomingMessage, response as unknown as ServerResponse, (error) => {
    if (error !== undefined) throw new Error('the security headers could not be made', { cause: error });
  });
  return headers;
}

/**
 * What OWASP's REST Security cheat sheet asks of responses that are no HTML, besides their content type. The other headers of pages
 * mean nothing there, and each header costs time.
 */
export function apiHeaders(options: { isProduction: boolean }): Headers {
  const transport = pageHeaders(options)['strict-transport-security'];
  return {
    'cache-control': 'no-store',
    'content-security-policy': "frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(transport !== undefined && { 'strict-transport-security': transport }),
  };
}
