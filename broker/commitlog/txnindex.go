package commitlog

import (
	"encoding/binary"
	"fmt"

	"millrace/broker/internal/vfs"
)

// abortedTxn is an entry of a .txnindex file, 34 bytes: int16 version 0, then these four as int64.
type abortedTxn struct {
	producerID int64
	first      int64 // offset of its first record
	last       int64 // offset of its abort marker
	stable     int64 // last stable offset once it was aborted
}

const abortedEntrySize = 34

func encodeAborted(list []abortedTxn) []byte {
	b := make([]byte, 0, len(list)*abortedEntrySize)
	for _, a := range list {
		b = binary.BigEndian.AppendUint16(b, 0)
		for _, v := range [...]int64{a.producerID, a.first, a.last, a.stable} {
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		}
	}
	return b
}

func decodeAborted(b []byte) ([]abortedTxn, error) {
	if len(b)%abortedEntrySize != 0 {
		return nil, fmt.Errorf("size %d is not whole entries of %d bytes", len(b), abortedEntrySize)
	}
	list := make([]abortedTxn, 0, len(b)/abortedEntrySize)
	for ; len(b) > 0; b = b[abortedEntrySize:] {
		if v := binary.BigEndian.Uint16(b); v != 0 {
			return nil, fmt.Errorf("version %d, 0 expected", v)
		}
		field := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[2+8*i:])) }
		list = append(list, abortedTxn{field(0), field(1), field(2), field(3)})
	}
	return list, nil
}

func loadAborted(fsys vfs.FS, name string) ([]abortedTxn, error) {
	data, err := vfs.ReadFile(fsys, name, maxCheckpointBytes)
	if err != nil {
		return nil, err
	}
	list, err := decodeAborted(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}
