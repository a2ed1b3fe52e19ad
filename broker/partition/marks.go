package partition

// marks relate offsets to bytes appended, for the offsets that the high watermark has not reached: it moves by whole appends
// of others, and fetches wait for bytes.
type marks struct {
	list []mark
}

type mark struct{ offset, bytes int64 }

// maxMarks bounds the list; beyond it the last one stands for all that follow, and a fetch that waits for many bytes is woken
// a little late.
const maxMarks = 1024

func (m *marks) add(offset, bytes int64) {
	n := len(m.list)
	switch {
	case n > 0 && m.list[n-1].offset >= offset:
	case n == maxMarks:
		m.list[n-1] = mark{offset, bytes}
	default:
		m.list = append(m.list, mark{offset, bytes})
	}
}

// reach takes the marks up to an offset and returns the bytes of the last one, -1 if there is none.
func (m *marks) reach(offset int64) int64 {
	bytes, n := int64(-1), 0
	for n < len(m.list) && m.list[n].offset <= offset {
		bytes = m.list[n].bytes
		n++
	}
	m.list = append(m.list[:0], m.list[n:]...)
	return bytes
}

// cut drops the marks above an offset.
func (m *marks) cut(offset int64) {
	for len(m.list) > 0 && m.list[len(m.list)-1].offset > offset {
		m.list = m.list[:len(m.list)-1]
	}
}
