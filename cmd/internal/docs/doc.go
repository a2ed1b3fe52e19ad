// Package docs writes the pages of cmd/docs from definitions: the keys of plugins, of the worker and of the log, and the routes of the
// REST API. Start with Pages. What stands in a page comes from a ConfigKey's Doc or a route's summary; there is no other text to keep in
// step. make docs writes them, a test says when they are stale.
package docs
