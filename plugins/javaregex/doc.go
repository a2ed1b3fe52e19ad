// Package javaregex matches with Java's regular expressions, in which configurations of Kafka Connect are written: topics.regex,
// RegexRouter, TopicNameMatches.
//
// Patterns are translated (translate.go) for Go's own engine, whose time is linear in the text. Only what that cannot do, look
// around, refer back or match possessively, falls to a backtracking engine, whose time a bad pattern can make explode; topic
// names, for which it is used, are short.
package javaregex
