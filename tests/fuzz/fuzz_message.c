// Messages from a peer: what is accepted can be sent on, and is what it was when it is read again.
#include "fuzz.h"

#include "common/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why = NULL;
    Wire__Message *message = protocol_unpack(data, size, &why), *again;
    zmq_msg_t part;

    if (!message) {
        if (!why)
            abort();
        return 0;
    }
    protocol_pack(&part, message);
    again = protocol_unpack(zmq_msg_data(&part), zmq_msg_size(&part), &why);
    // Fields with the number 0 are passed over in one spelling and refused in another.
    if (again && again->body_case != message->body_case)
        abort();
    zmq_msg_close(&part);
    if (again)
        wire__message__free_unpacked(again, NULL);
    wire__message__free_unpacked(message, NULL);
    return 0;
}
