// One import is enough for a program that uses the client: errors, messages and agents come along.
@_exported public import Hosting
@_exported public import Wire
