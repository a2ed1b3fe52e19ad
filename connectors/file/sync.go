package file

import (
	"errors"
	"os"
	"syscall"
)

// syncData puts the file's data on the disk. Pipes and devices have nothing to sync.
func syncData(f *os.File) error {
	err := f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
