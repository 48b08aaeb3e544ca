// The reader of format 1, behind RecordingReader.
#pragma once

#include "lab/record/recording_reader.h"

namespace powercut::lab {

Result<std::unique_ptr<RecordingReader>> open_old_recording(const ByteStore& file,
                                                            std::uint64_t memory_bytes);

}  // namespace powercut::lab
