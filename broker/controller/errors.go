package controller

import "errors"

// Reasons why a command as a whole got no answer. Refusals of single topics or resources are metadata.Errors in
// their results instead.
var (
	// ErrNotController: another node decides now (NOT_CONTROLLER); ask it.
	ErrNotController = errors.New("this node is not the active controller")
	// ErrTimeout: the command's context ended first (REQUEST_TIMED_OUT); it may still take effect.
	ErrTimeout = errors.New("the controller did not answer in time")
	// ErrBusy: too many changes wait for the disk or the other voters (THROTTLING_QUOTA_EXCEEDED); try again.
	ErrBusy = errors.New("too many metadata changes in flight")
	// ErrClosed: this node is shutting down.
	ErrClosed = errors.New("controller closed")
)
