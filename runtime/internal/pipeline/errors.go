package pipeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"millrace/connectors"
)

// A Stage is where a record failed.
type Stage string

// The stages, in Kafka Connect's words.
const (
	TaskPut         Stage = "TASK_PUT"
	Transformation  Stage = "TRANSFORMATION"
	KeyConverter    Stage = "KEY_CONVERTER"
	ValueConverter  Stage = "VALUE_CONVERTER"
	HeaderConverter Stage = "HEADER_CONVERTER"
	KafkaProduce    Stage = "KAFKA_PRODUCE"
	KafkaConsume    Stage = "KAFKA_CONSUME"
)

// A Failure is a record's failure at a place.
type Failure struct {
	Stage Stage
	// Class is the plugin's class.
	Class string
	Err   error
	// Consumed is the record as it was read from the log, nil for source records.
	Consumed *Consumed
	// Source is the record of a source task, nil for sinks.
	Source *connectors.SourceRecord
}

// A Reporter hears of failures before the policy decides. Report returns when the failure is noted or on its way;
// a reporter that must be waited for does so by itself before offsets are committed.
type Reporter interface {
	Report(ctx context.Context, f *Failure) error
}

// Counts count what happens to records. Any may be nil.
type Counts struct {
	Failures, Errors, Skipped, Retries, Logged func()
}

func count(f func()) {
	if f != nil {
		f()
	}
}

// Errors is the policy for records that fail: errors.retry.*, errors.tolerance and the reporters.
type Errors struct {
	retryTimeout  time.Duration // negative: forever
	retryDelayMax time.Duration
	tolerateAll   bool
	reporters     []Reporter
	counts        Counts
	log           connectors.Logger
}

func newErrors(config Config, values connectors.Values) *Errors {
	e := &Errors{
		retryTimeout:  millis(values, "errors.retry.timeout"),
		retryDelayMax: values.Millis("errors.retry.delay.max.ms"),
		tolerateAll:   strings.EqualFold(values.String("errors.tolerance"), "all"),
		reporters:     config.Reporters,
		counts:        config.Counts,
		log:           config.Logger,
	}
	if values.Bool("errors.log.enable") {
		e.reporters = append([]Reporter{&logReporter{
			log: config.Logger, connector: config.Connector, task: config.Task,
			include: values.Bool("errors.log.include.messages"), counts: config.Counts,
		}}, e.reporters...)
	}
	return e
}

// Reports is whether anybody hears of failures: whether a sink task has an errant record reporter.
func (e *Errors) Reports() bool { return len(e.reporters) > 0 }

// TolerateAll is errors.tolerance=all.
func (e *Errors) TolerateAll() bool { return e.tolerateAll }

// first is the first pause of a retry; each further is twice as long.
const first = 300 * time.Millisecond

// retry calls f again while its error is worth it and time is left; err is that of the call before. It returns the last error.
func (e *Errors) retry(ctx context.Context, err error, f func() error) error {
	if e.retryTimeout == 0 || !connectors.Retriable(err) {
		return err
	}
	deadline := time.Now().Add(e.retryTimeout)
	for delay := first; ; delay *= 2 {
		pause := delay
		if delay > e.retryDelayMax || delay <= 0 {
			pause = rand.N(max(e.retryDelayMax, 1))
			delay = e.retryDelayMax // stays above after doubling, without overflow
		}
		if e.retryTimeout > 0 {
			left := time.Until(deadline)
			if left <= 0 {
				return err
			}
			pause = min(pause, left)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		count(e.counts.Retries)
		if err = f(); err == nil || !connectors.Retriable(err) {
			return err
		}
	}
}

// Decide reports a failure and returns nil if the record may be skipped, otherwise the error that ends the task. When ctx has
// ended the record is neither: the task is stopping, and it comes again.
func (e *Errors) Decide(ctx context.Context, f *Failure) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	count(e.counts.Failures)
	for _, r := range e.reporters {
		if err := r.Report(ctx, f); err != nil {
			return &FatalError{Msg: "Could not report a record that failed", Cause: err}
		}
	}
	if !e.tolerateAll {
		count(e.counts.Errors)
		return &FatalError{Msg: toleranceExceeded, Cause: f.Err}
	}
	if !tolerable(f) {
		count(e.counts.Errors)
		return &FatalError{Msg: unhandled, Cause: f.Err}
	}
	count(e.counts.Skipped)
	return nil
}

// tolerable: in transforms and converters any error is the record's; elsewhere only one that was worth trying again.
func tolerable(f *Failure) bool {
	switch f.Stage {
	case Transformation, KeyConverter, ValueConverter, HeaderConverter, TaskPut, KafkaProduce:
		return true
	}
	return connectors.Retriable(f.Err)
}

// The texts of fatal errors that say what kind of trouble it is.
const (
	toleranceExceeded = "Tolerance exceeded in error handler"
	unhandled         = "Unhandled exception in error handler"
	deadLetterFailed  = "Could not write to the dead letter queue "
	// SendFailed is that of a record that the log refused.
	SendFailed = "Unrecoverable exception from producer send callback"
)

// IsTolerance reports whether err says that a record failed and the policy does not let it go.
func IsTolerance(err error) bool { return hasMsg(err, toleranceExceeded) || hasMsg(err, unhandled) }

// IsLog reports whether err says that the log refused a record or a dead letter.
func IsLog(err error) bool { return hasMsg(err, SendFailed) || hasMsg(err, deadLetterFailed) }

func hasMsg(err error, msg string) bool {
	f, ok := errors.AsType[*FatalError](err)
	return ok && strings.HasPrefix(f.Msg, msg)
}

// A FatalError ends a task. Its text does not include the cause: a trace shows both.
type FatalError struct {
	Msg   string
	Cause error
}

func (e *FatalError) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *FatalError) Unwrap() error { return e.Cause }
