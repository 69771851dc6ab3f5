export { HttpClient, type HttpRequest, type HttpResponse, ResponseTooLargeError } from './http-client.js';
export { retryAfterMs } from './retry-after.js';
export { signatureOf } from './signature.js';
