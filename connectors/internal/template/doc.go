// Package template expands the ${name} and ${name:argument} variables of destination names: topics, subjects, queues.
package template
