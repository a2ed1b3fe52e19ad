// Package loggers keeps the levels of named loggers, as GET and PUT /admin/loggers show and change them.
//
// Read Registry first. A logger's name is a path of words between dots; a level set on a logger is pushed down to all loggers
// below it that exist, as Connect does, so a logger's own level is always the one that counts. Loggers are *slog.Logger with a
// handler that asks the level and nothing else: asking costs one atomic load.
//
// Limits: levels live in this process and are lost with it; scope=cluster is the herder's business.
package loggers
