export {
  ProblemError,
  notFound,
  type ProblemDetails,
  validationFailed,
  type FieldProblem,
} from './problem.js';
export { bodyBytesOf } from './request-body.js';
export { ProblemFilter } from './problem.filter.js';
export {
  ACCESS,
  type Access,
  AdminOnly,
  bearerOf,
  isOperatorRequest,
  keyRefusalOf,
  setKeyRefusal,
  isRead,
  Public,
  setOperatorRequest,
  STORES_NOTHING,
  StoresNothing,
  STREAMED,
  Streamed,
  TenantOrAdmin,
} from './access.js';
export {
  createValidationPipe,
  objectIdString,
  pageLimit,
  isoDate,
  countValues,
  jsonObject,
  MAX_OBJECT_VALUES,
  externalName,
  exactUrl,
  visibleText,
  nullIsAbsent,
} from './validation.js';
export { limitConnections } from './connection-limits.js';
export { createHttpAdapter } from './http-adapter.js';
export { setUpOpenApi } from './openapi.js';
export { addRequestHooks } from './request-hooks.js';
export { apiHeaders, pageHeaders } from './security-headers.js';
export {
  type Page,
  type DateIdCursor,
  type IdCursor,
  dateIdCursor,
  idCursor,
  invalidCursor,
  seqCursor,
  textCursor,
  contentSize,
  MAX_PAGE_BYTES,
  readPage,
} from './pagination.js';
export { RootController } from './root.controller.js';
