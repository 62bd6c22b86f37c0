-- SPDX-License-Identifier: Apache-2.0
--
-- For Wireshark and tshark: names the groups of qkd-provider and shows the key ID in both key
-- shares. README.md says how it is used, docs/protocol.md what the shares look like.
--
-- It reads what Wireshark's TLS dissector has found, so TCP segments, TLS records and the CRYPTO
-- frames of QUIC have been put together already, and adds a tree of its own.

local KEY_ID_BYTES = 16
local ZERO_ID = string.rep("0", 2 * KEY_ID_BYTES)

local CLIENT_HELLO = 1

-- Limits: what a hostile capture can make this file remember or show.
local STREAMS_MAX = 100000
local SHARES_MAX = 64 -- of one frame
local OFFERS_MAX = 64 -- of one frame

-- Code point, name, octets of the inner part in the client's and in the server's share (0: they
-- differ between versions of its provider). tests/check-groups compares it with provider/groups.c.
local GROUPS = {
    { 0x304A, "qkd_mlkem512", 800, 768 },
    { 0x3768, "qkd_mlkem768", 1184, 1088 },
    { 0x3024, "qkd_mlkem1024", 1568, 1568 },
    { 0xFE18, "qkd_x25519mlkem768", 1216, 1120 },
    { 0xFE19, "qkd_secp256r1mlkem768", 1249, 1153 },
    { 0xFE1A, "qkd_secp384r1mlkem1024", 1665, 1665 },
    { 0xFE10, "qkd_x25519", 32, 32 },
    { 0xFE11, "qkd_secp256r1", 65, 65 },
    { 0xFE12, "qkd_secp384r1", 97, 97 },
    { 0xFE00, "qkd_efrodo640aes", 0, 0 },
    { 0xFE01, "qkd_efrodo640shake", 0, 0 },
    { 0xFE02, "qkd_efrodo976aes", 0, 0 },
    { 0xFE03, "qkd_efrodo976shake", 0, 0 },
    { 0xFE04, "qkd_efrodo1344aes", 0, 0 },
    { 0xFE05, "qkd_efrodo1344shake", 0, 0 },
    { 0x3000, "qkd_frodo640aes", 0, 0 },
    { 0x3001, "qkd_frodo640shake", 0, 0 },
    { 0x3002, "qkd_frodo976aes", 0, 0 },
    { 0x3003, "qkd_frodo976shake", 0, 0 },
    { 0x3004, "qkd_frodo1344aes", 0, 0 },
    { 0x3005, "qkd_frodo1344shake", 0, 0 },
    { 0x303A, "qkd_kyber512", 0, 0 },
    { 0x303C, "qkd_kyber768", 0, 0 },
    { 0x303D, "qkd_kyber1024", 0, 0 },
    { 0x3041, "qkd_bikel1", 0, 0 },
    { 0x3042, "qkd_bikel3", 0, 0 },
    { 0x3043, "qkd_bikel5", 0, 0 },
    { 0x3044, "qkd_hqc128", 0, 0 },
    { 0x3045, "qkd_hqc192", 0, 0 },
    { 0x3046, "qkd_hqc256", 0, 0 },
}

local qkd = Proto("qkd", "Quantum key distribution in TLS")

local fields = {
    supported_group = ProtoField.uint16("qkd.supported_group", "Supported group", base.HEX),
    supported_group_name = ProtoField.string("qkd.supported_group_name", "Name"),
    share_role = ProtoField.string("qkd.share_role", "Share of",
        "client, server, or retry (HelloRetryRequest, which only names the group)"),
    group = ProtoField.uint16("qkd.group", "Group", base.HEX),
    group_name = ProtoField.string("qkd.group_name", "Group name"),
    inner_bytes = ProtoField.uint16("qkd.inner_bytes", "Octets of the inner algorithm", base.DEC),
    key_id = ProtoField.guid("qkd.key_id", "Key ID",
        "key_ID of ETSI GS QKD 014, or Key_stream_ID of 004"),
    flow = ProtoField.string("qkd.flow", "Flow",
        "client-initiated, server-initiated, or unknown"),
}
qkd.fields = fields

local experts = {
    length = ProtoExpert.new("qkd.bad_length", "The share has not the length of this group",
        expert.group.MALFORMED, expert.severity.WARN),
    zero = ProtoExpert.new("qkd.zero_answer", "The server's share names no key: the client refuses it",
        expert.group.PROTOCOL, expert.severity.WARN),
    other = ProtoExpert.new("qkd.other_key_id",
        "Not the ID that the client offered: the client refuses it",
        expert.group.PROTOCOL, expert.severity.WARN),
    limit = ProtoExpert.new("qkd.limit", "More groups or shares than are shown",
        expert.group.PROTOCOL, expert.severity.NOTE),
}
qkd.experts = experts

qkd.prefs.codepoints = Pref.string("Other code points", "",
    "As in the provider's settings codepoint-NAME, for example: qkd_mlkem768=0xFE77,qkd_x25519=0xFE30")

-- [code point] = { name, client_bytes, server_bytes }
local by_code_point = {}

local function set_code_points(text)
    local numbers = {}
    for word in text:gmatch("[^,%s]+") do
        local name, number = word:match("^([%w_]+)=0[xX](%x%x?%x?%x?)$")
        local is_known = false
        for _, group in ipairs(GROUPS) do
            is_known = is_known or group[2] == name
        end
        if is_known then
            numbers[name] = tonumber(number, 16)
        else
            report_failure("qkd.codepoints: '" .. word .. "' is not NAME=0xNNNN with the name of a group")
        end
    end
    by_code_point = {}
    for _, group in ipairs(GROUPS) do
        local number = numbers[group[2]] or group[1]
        by_code_point[number] = { name = group[2], client_bytes = group[3], server_bytes = group[4] }
    end
end

set_code_points("")

function qkd.prefs_changed()
    set_code_points(qkd.prefs.codepoints or "")
end

-- What the TLS dissector has found.
local SUPPORTED_GROUP = "tls.handshake.extensions_supported_group"
local HANDSHAKE_TYPE = "tls.handshake.type"
local SHARE_GROUP = "tls.handshake.extensions_key_share_group"
local SHARE_OCTETS = "tls.handshake.extensions_key_share_key_exchange"
local RETRY_GROUP = "tls.handshake.extensions_key_share_selected_group"

local wanted = {
    Field.new(HANDSHAKE_TYPE),
    Field.new(SUPPORTED_GROUP),
    Field.new(SHARE_GROUP),
    Field.new(RETRY_GROUP),
    Field.new(SHARE_OCTETS),
}
local tcp_stream = Field.new("tcp.stream")
local udp_stream = Field.new("udp.stream")

-- offered[stream][code point] = hex of the ID in the client's last hello on this stream.
local offered, offered_count = {}, 0
-- answered[frame][index] = flow and fault of a server's share, kept because a frame that is looked
-- at again may come after another hello of its stream.
local answered, answered_count = {}, 0

function qkd.init()
    offered, offered_count = {}, 0
    answered, answered_count = {}, 0
end

local function stream_of_frame()
    local found = { tcp_stream() }
    if #found > 0 then
        return "tcp " .. tostring(found[#found])
    end
    found = { udp_stream() }
    return #found > 0 and "udp " .. tostring(found[#found]) or nil
end

-- Forgets what the hello before this one offered.
local function note_client_hello(state)
    if state.visited or state.stream == nil then
        return
    end
    if offered[state.stream] == nil then
        if offered_count >= STREAMS_MAX then
            return
        end
        offered_count = offered_count + 1
    end
    offered[state.stream] = {}
end

-- Flow of a server's share with this ID, and the expert that has something to say about it.
local function judge_answer(state, code_point, id)
    local offer = state.stream and offered[state.stream]
    local client_id = offer and offer[code_point]
    local fault = nil
    if id == ZERO_ID then
        fault = "zero"
    elseif client_id ~= nil and client_id ~= ZERO_ID and client_id ~= id then
        fault = "other"
    end
    if client_id == nil then
        return { flow = "unknown", fault = fault }
    end
    return { flow = client_id == ZERO_ID and "server-initiated" or "client-initiated", fault = fault }
end

local function answer_of(state, code_point, id)
    local answers = answered[state.frame]
    if answers ~= nil and answers[state.share_count] ~= nil then
        return answers[state.share_count]
    end
    local answer = judge_answer(state, code_point, id)
    if answers == nil and answered_count < STREAMS_MAX then
        answered_count = answered_count + 1
        answers = {}
        answered[state.frame] = answers
    end
    if answers ~= nil then
        answers[state.share_count] = answer
    end
    return answer
end

local function flow_of_client(state, code_point, id)
    local offer = state.stream and offered[state.stream]
    if not state.visited and offer ~= nil then
        offer[code_point] = id
    end
    return { flow = id == ZERO_ID and "server-initiated" or "client-initiated" }
end

local function root_of(state)
    if state.root == nil then
        state.root = state.tree:add(qkd)
    end
    return state.root
end

local function is_over(state, count, most)
    if count == most + 1 then
        root_of(state):add_proto_expert_info(experts.limit)
    end
    return count > most
end

local function add_offer(state, field)
    local group = by_code_point[field.value]
    if group == nil then
        return
    end
    state.offer_count = state.offer_count + 1
    if is_over(state, state.offer_count, OFFERS_MAX) then
        return
    end
    local item = root_of(state):add(fields.supported_group, field.range)
    item:append_text(" " .. group.name)
    item:add(fields.supported_group_name, field.range, group.name)
end

-- The subtree of one share: group, number, name, role.
local function add_head(state, field, group, role)
    local item = root_of(state):add(qkd, field.range, "Key share of the " .. role .. ": " .. group.name)
    if role == "retry" then
        item:set_text("Retry request: " .. group.name)
    end
    item:add(fields.share_role, field.range, role)
    item:add(fields.group, field.range)
    item:add(fields.group_name, field.range, group.name)
    return item
end

local function add_key_id(state, item, share, code_point, role)
    local inner_bytes = share:len() - KEY_ID_BYTES
    local range = share:range(inner_bytes, KEY_ID_BYTES)
    local id = range:bytes():tohex(true)
    local judge = role == "client" and flow_of_client or answer_of
    local answer = judge(state, code_point, id)
    item:add(fields.inner_bytes, share:range(0, inner_bytes), inner_bytes)
    item:add(fields.key_id, range)
    item:add(fields.flow, range, answer.flow)
    item:append_text(", " .. answer.flow)
    if answer.fault ~= nil then
        item:add_proto_expert_info(experts[answer.fault])
    end
end

-- head: the field with the group; body: the field with the octets, or nil where there are none.
local function add_share(state, head, body)
    local group = by_code_point[head.value]
    if group == nil then
        return
    end
    state.share_count = state.share_count + 1
    if is_over(state, state.share_count, SHARES_MAX) then
        return
    end
    local role = state.is_client and "client" or "server"
    local item = add_head(state, head, group, role)
    local bytes = body and body.len or 0
    local inner_bytes = state.is_client and group.client_bytes or group.server_bytes
    if bytes <= KEY_ID_BYTES or (inner_bytes ~= 0 and bytes ~= inner_bytes + KEY_ID_BYTES) then
        item:add_proto_expert_info(experts.length)
    else
        add_key_id(state, item, body.range, head.value, role)
    end
end

local function add_retry(state, field)
    local group = by_code_point[field.value]
    if group ~= nil then
        add_head(state, field, group, "retry")
    end
end

-- The fields come in the order of the hellos, the octets of a share behind its group.
local function add_fields(state, found)
    local head = nil
    for _, field in ipairs(found) do
        local name = field.name
        if head ~= nil and (name == SHARE_OCTETS or name == SHARE_GROUP or name == HANDSHAKE_TYPE) then
            add_share(state, head, name == SHARE_OCTETS and field or nil)
            head = nil
        end
        if name == HANDSHAKE_TYPE then
            state.is_client = field.value == CLIENT_HELLO
            if state.is_client then
                note_client_hello(state)
            end
        elseif name == SUPPORTED_GROUP then
            add_offer(state, field)
        elseif name == SHARE_GROUP then
            head = field
        elseif name == RETRY_GROUP then
            add_retry(state, field)
        end
    end
    if head ~= nil then
        add_share(state, head, nil)
    end
end

function qkd.dissector(_, pinfo, tree)
    local has_any = false
    for _, extract in ipairs(wanted) do
        has_any = has_any or extract() ~= nil
    end
    if not has_any then
        return
    end
    add_fields({
        frame = pinfo.number,
        visited = pinfo.visited,
        tree = tree,
        stream = stream_of_frame(),
        is_client = false,
        share_count = 0,
        offer_count = 0,
    }, { all_field_infos() })
end

register_postdissector(qkd)
