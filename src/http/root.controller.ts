import { Controller, Get, Redirect } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from './access.js';

/** Sends a person who opens the address of the service in a browser to the description of the API. */
@Controller()
@ApiExcludeController()
export class RootController {
  @Get()
  @Public()
  @Redirect('/docs', 302)
  root(): void {
    // The decorator replies.
  }
}
