package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/cmd/internal/restclient"
)

// The exit codes, as the help of the root command lists them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitEnvironment = 3
	exitNotFound    = 4
	exitConflict    = 5
)

const exitCodesHelp = `Exit codes:
  0  done
  1  failed
  2  wrong usage, or a configuration that cannot work
  3  the surroundings: nobody answers, port in use, data directory locked; a connector file that fails at start
  4  no such topic, group or connector
  5  it exists already, or is in use
`

// A failure is an error with an exit code and, where there is one, what to do about it.
type failure struct {
	code int
	err  error
	fix  string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usagef(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// report shows err and returns the exit code that it means.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	f := classify(err)
	for line := range strings.SplitSeq(f.Error(), "\n") {
		fmt.Fprintf(w, "error: %s\n", line)
	}
	if f.fix != "" {
		fmt.Fprintf(w, "  fix: %s\n", f.fix)
	}
	return f.code
}

func classify(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return &failure{code: f.code, err: err, fix: f.fix}
	}
	f = &failure{code: exitFailed, err: err}
	var answer *restclient.Error
	var unreachable *restclient.ConnectionError
	var kafka *kerr.Error
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)):
		f.code, f.fix = exitEnvironment, "trust the worker's authority with --cacert FILE, and name the worker as its certificate does"
	case errors.As(err, &unreachable):
		f.code, f.fix = exitEnvironment, "start one with: millrace standalone, or name another with --url"
	case errors.As(err, &answer):
		if answer.Status == http.StatusUnauthorized {
			f.fix = "give --user NAME:PASSWORD, or set MILLRACE_USER"
		}
		f.code = map[int]int{400: exitUsage, 404: exitNotFound, 409: exitConflict}[answer.Status]
		if f.code == 0 {
			f.code = exitFailed
		}
	case errors.As(err, &kafka):
		f.code = kafkaCode(kafka)
	case errors.Is(err, context.DeadlineExceeded):
		f.code, f.fix = exitEnvironment, "is the cluster healthy? allow more time with --timeout"
	}
	return f
}

func kafkaCode(err *kerr.Error) int {
	switch err {
	case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.GroupIDNotFound:
		return exitNotFound
	case kerr.TopicAlreadyExists, kerr.NonEmptyGroup, kerr.GroupSubscribedToTopic:
		return exitConflict
	case kerr.InvalidTopicException, kerr.InvalidConfig, kerr.InvalidPartitions, kerr.InvalidReplicationFactor, kerr.InvalidRequest:
		return exitUsage
	}
	return exitFailed
}

// exactArgs and minArgs are cobra's rules with usage errors that name what is missing.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return usagef("unexpected argument %q: want %s", args[len(names)], strings.Join(names, " "))
		}
		return minArgs(names...)(nil, args)
	}
}

func minArgs(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("missing argument: %s", strings.Join(names[len(args):], " "))
		}
		return nil
	}
}

func noArgs(cmd *cobra.Command, args []string) error { return exactArgs()(cmd, args) }

// oneOf refuses flags that contradict each other.
func oneOf(cmd *cobra.Command, flags ...string) error {
	given := ""
	for _, flag := range flags {
		if !cmd.Flags().Changed(flag) {
			continue
		}
		if given != "" {
			return usagef("--%s and --%s exclude each other", given, flag)
		}
		given = flag
	}
	return nil
}
