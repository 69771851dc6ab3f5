import { Controller, Get, Redirect } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from './access.js';

/** Redirects a browser that opens the root URL of the service to the API documentation. */
@Controller()
@ApiExcludeController()
export class RootController {
  @Get()
  @Public()
  @Redirect('/docs', 302)
  root(): void {
    // The decorator sends the response.
  }
}
