package pipeline

import (
	"fmt"
	"runtime/debug"
)

// Recover, deferred, turns a plugin's panic into *err.
func Recover(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: fmt.Sprint(v), Stack: string(debug.Stack())}
	}
}
