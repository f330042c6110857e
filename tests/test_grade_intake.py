"""What students hand in is read whatever it is called, and nothing else is."""

import os
import stat
import zipfile
import zlib

import pytest

from nexttoken import course
from nexttoken.classroom import intake, roster
from nexttoken.classroom.intake import FILE_LIMIT, Submission, submissions
from nexttoken.classroom.roster import Student, class_of, read_roster

PLACE = "src/nexttoken/attention.py"


def put(folder, name, content=b"x = 1\n"):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def zipped(file, members):
    """A zip file of these members: bytes by name, or by ZipInfo."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file


def only(place):
    (found,) = submissions(place)
    return found


@pytest.mark.parametrize(
    "name", [PLACE, "attention.py", "my course/src/nexttoken/attention.py", "deep/a/b/attention.py"]
)
def test_a_chapter_is_found_in_a_folder_wherever_it_lies(tmp_path, name):
    put(tmp_path, f"jane/{name}")
    assert only(tmp_path).files == {"attention": b"x = 1\n"}


@pytest.mark.parametrize("name", [PLACE, "attention.py", "my course/src/nexttoken/attention.py"])
def test_a_chapter_is_found_in_a_zip_file_wherever_it_lies(tmp_path, name):
    zipped(tmp_path / "jane.zip", [(name, b"x = 1\n")])
    assert only(tmp_path).files == {"attention": b"x = 1\n"}
    assert only(tmp_path).name == "jane"


def test_the_file_in_its_place_is_preferred_to_copies_elsewhere(tmp_path):
    put(tmp_path, "jane/attention.py", b"old")
    put(tmp_path, f"jane/{PLACE}", b"new")
    put(tmp_path, "jane/solutions/attention.py", b"the reference")
    put(tmp_path, "jane/.venv/site-packages/attention.py", b"installed")
    found = only(tmp_path)
    assert found.files == {"attention": b"new"}
    assert found.notes == [f"there are two attention.py; {PLACE} was taken"]


def test_nothing_but_the_chapters_is_read(tmp_path):
    for name in (
        "conftest.py",
        "sitecustomize.py",
        "torch.py",
        "nbformat.py",
        "lab/show.py",
        "course.py",
        "x.pth",
    ):
        put(tmp_path, f"jane/src/nexttoken/{name}")
    put(tmp_path, f"jane/{PLACE}")
    assert list(only(tmp_path).files) == ["attention"]


def test_links_are_not_followed(tmp_path):
    secret = put(tmp_path, "secret", b"of the teacher")
    folder = tmp_path / "class"
    put(folder, "jane/qkv.py")
    (folder / "jane" / "attention.py").symlink_to(secret)
    (folder / "jane" / "folder").symlink_to(tmp_path)
    (folder / "john").symlink_to(tmp_path)
    jane, john = submissions(folder)
    assert jane.files == {"qkv": b"x = 1\n"}
    assert "attention.py is a link, and was not followed" in jane.notes
    assert john.files == {}


def test_a_pipe_is_not_waited_for(tmp_path):
    put(tmp_path, "jane/qkv.py")
    os.mkfifo(tmp_path / "jane" / "attention.py")
    assert list(only(tmp_path).files) == ["qkv"]


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    put(tmp_path, "jane/attention.py", b"#" * (FILE_LIMIT + 1))
    found = only(tmp_path)
    assert found.files == {}
    assert found.notes == ["attention.py is larger than 1,000,000 bytes, and was not read"]


def link_in_zip():
    info = zipfile.ZipInfo("attention.py")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("members", "note"),
    [
        ([("../../attention.py", b"x")], "leads out of the zip file"),
        ([("/etc/attention.py", b"x")], "leads out of the zip file"),
        ([("C:/attention.py", b"x")], "leads out of the zip file"),
        ([("..\\attention.py", b"x")], "leads out of the zip file"),
        ([(link_in_zip(), b"/etc/passwd")], "is a link"),
        ([("attention.py", bytes(300_000_000))], "larger than 1,000,000 bytes"),
    ],
    ids=["dots", "absolute", "drive", "backslash", "link", "bomb"],
)
def test_a_zip_file_can_do_no_harm(tmp_path, members, note):
    zipped(tmp_path / "jane.zip", members)
    found = only(tmp_path)
    assert found.files == {}
    assert note in found.notes[0]
    assert list(tmp_path.iterdir()) == [tmp_path / "jane.zip"]


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + b"x" * 100, bytes(1000)])
def test_a_broken_zip_file_is_said(tmp_path, content):
    put(tmp_path, "jane.zip", content)
    found = only(tmp_path)
    assert found.files == {}
    assert "a zip file cannot be read" in found.notes[0]


def test_a_file_without_a_name_in_a_zip_file_harms_nothing(tmp_path):
    file = zipped(tmp_path / "jane.zip", [("@.py", b"x"), ("attention.py", b"x")])
    file.write_bytes(file.read_bytes().replace(b"@.py", b"\0.py"))  # a name ends where a zero is
    assert zipfile.ZipFile(file).namelist()[0] == ""
    assert only(tmp_path).files == only(file).files == {"attention": b"x"}


def test_a_file_that_lies_beyond_all_files_in_a_zip_file_is_said(tmp_path):
    with zipfile.ZipFile(tmp_path / "jane.zip", "w") as archive:
        archive.writestr("attention.py", "x = 1\n")
    content = bytearray((tmp_path / "jane.zip").read_bytes())
    entry = content.index(b"PK\x01\x02")
    name = int.from_bytes(content[entry + 28 : entry + 30], "little")
    content[entry + 42 : entry + 46] = b"\xff" * 4  # where it lies: see the extra field
    far = b"\x01\x00\x08\x00" + b"\xff" * 8
    content[entry + 30 : entry + 32] = len(far).to_bytes(2, "little")
    content[entry + 46 + name : entry + 46 + name] = far
    end = content.index(b"PK\x05\x06")
    size = int.from_bytes(content[end + 12 : end + 16], "little") + len(far)
    content[end + 12 : end + 16] = size.to_bytes(4, "little")
    (tmp_path / "jane.zip").write_bytes(content)
    (found,) = submissions(tmp_path)
    assert found.files == {}
    assert any("attention.py cannot be read" in note for note in found.notes)


def test_a_zip_in_a_zip_is_opened_once_and_no_deeper(tmp_path):
    inner = zipped(tmp_path / "attention.zip", [("attention.py", b"x")]).read_bytes()
    once = zipped(tmp_path / "once.zip", [("a.zip", inner)]).read_bytes()
    twice = zipped(tmp_path / "twice.zip", [("b.zip", once)])
    (tmp_path / "attention.zip").unlink()
    by_name = {found.name: found.files for found in submissions(tmp_path)}
    assert by_name == {"once": {"attention": b"x"}, "twice": {}}
    assert twice.is_file()


@pytest.fixture
def small_limits(monkeypatch):
    """Limits that are reached at once: a file of 100 kB, a zip file of 500 kB, 1 MB in all."""
    for name, limit in (("FILE_LIMIT", 100_000), ("ZIP_LIMIT", 500_000), ("READ_LIMIT", 1_000_000)):
        monkeypatch.setattr(intake, name, limit)


def bombs(file, name, count, size=600_000, damaged=False):
    """A zip file with so many files of zeros after a good one; damaged, they fail at their end."""
    zipped(file, [("qkv.py", b"good"), *((name.format(n), bytes(size)) for n in range(count))])
    if damaged:
        check_sum = zlib.crc32(bytes(size)).to_bytes(4, "little")
        file.write_bytes(file.read_bytes().replace(check_sum, b"none"))


@pytest.mark.parametrize("name", ["{}.zip", "{}/attention.py"])
@pytest.mark.parametrize(("size", "damaged"), [(600_000, False), (90_000, True)], ids=["large", "damaged"])
def test_a_submission_is_read_only_so_far(tmp_path, small_limits, monkeypatch, name, size, damaged):
    unpacked = []
    real = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda file, n=-1: unpacked.append(n) or real(file, n))
    bombs(tmp_path / "jane.zip", name, 60, size, damaged)
    found = only(tmp_path)
    assert found.files == {"qkv": b"good"}
    assert ("Bad CRC" in found.notes[1]) is damaged
    assert found.notes[0] == "more than 1 MB would have to be read; the rest was left"
    assert sum(unpacked) <= 1_000_000
    assert min(unpacked) > 0


def test_of_several_uploads_all_count_together(tmp_path, small_limits):
    for number in range(3):
        bombs(tmp_path / f"doejane_101_900{number}_work.zip", "{}/attention.py", 30)
    found = only(tmp_path)
    assert [note for note in found.notes if "would have to be read" in note] == found.notes[:1]


def test_zip_files_are_opened_up_to_a_number(tmp_path):
    inner = zipped(tmp_path / "inner.zip", [("attention.py", b"x")]).read_bytes()
    (tmp_path / "inner.zip").unlink()
    empty = zipped(tmp_path / "jane.zip", []).read_bytes()
    zipped(tmp_path / "jane.zip", [*((f"{n}.zip", empty) for n in range(500)), ("last.zip", inner)])
    found = only(tmp_path)
    assert found.files == {}
    assert found.notes == ["it holds more than 20 zip files; the rest was not opened"]


def test_a_zip_file_with_an_endless_list_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "LISTED_LIMIT", 100)
    for name, count in (("few.zip", 100), ("many.zip", 101)):
        zipped(tmp_path / name, [("attention.py", b"x"), *((f"{n}.txt", b"") for n in range(1, count))])
    few, many = submissions(tmp_path)
    assert (few.files, few.notes) == ({"attention": b"x"}, [])
    assert (many.files, many.notes) == ({}, ["a zip file cannot be read: it lists more than 100 files"])


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_packed_so_that_a_few_bytes_fill_the_memory_is_not_unpacked(tmp_path, how):
    with zipfile.ZipFile(tmp_path / "jane.zip", "w") as archive:
        archive.writestr("attention.py", b"x", compress_type=how)
        archive.writestr("qkv.py", b"x", compress_type=zipfile.ZIP_STORED)
    found = only(tmp_path)
    assert found.files == {"qkv": b"x"}
    assert found.notes == [
        "attention.py cannot be read: it is packed in an unusual way; the usual one is called deflate"
    ]


def test_of_very_many_notes_only_the_number_is_said(tmp_path):
    zipped(tmp_path / "jane.zip", [(f"{n}/attention.py", b"x") for n in range(2000)])
    found = only(tmp_path)
    assert found.files == {"attention": b"x"}
    assert len(found.notes) == 11
    assert found.notes[-1] == "and 1,989 more"


def test_that_it_came_late_is_said_however_much_else_is(tmp_path):
    zipped(tmp_path / "doejane_LATE_1_2_work.zip", [(f"{n}/qkv.py", b"x") for n in range(50)])
    zipped(tmp_path / "doejane_1_1_work.zip", [(f"{n}/attention.py", b"x") for n in range(50)])
    assert only(tmp_path).notes[0] == "handed in late"
    assert only(tmp_path).notes[-1] == "and 88 more"


def test_a_files_name_with_odd_characters_harms_nothing(tmp_path):
    for name in ("a\nb", "<script>", "x" * 200, "=cmd()", "Ünï"):
        put(tmp_path, f"{name}/attention.py")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff\xfe")
    found = submissions(tmp_path)
    assert len(found) == 6
    assert all("\n" not in one.name and len(one.name) <= 120 for one in found)


def test_canvas_files_of_one_student_are_one_submission(tmp_path):
    put(tmp_path, "doejane_101_9001_attention.py", b"one")
    put(tmp_path, "doejane_101_9002_qkv-2.py", b"two")
    put(tmp_path, "poeedgar_LATE_102_9003_attention-1.py", b"three")
    jane, edgar = submissions(tmp_path)
    assert (jane.name, jane.number, jane.files) == ("doejane", "101", {"attention": b"one", "qkv": b"two"})
    assert (edgar.number, edgar.files, edgar.notes) == ("102", {"attention": b"three"}, ["handed in late"])


def test_moodles_folders_name_their_students(tmp_path):
    put(tmp_path, "Jane Doe_4711_assignsubmission_file/attention.py")
    found = only(tmp_path)
    assert (found.name, found.number) == ("Jane Doe", "4711")


def test_a_whole_class_may_come_as_one_zip_file(tmp_path):
    inner = zipped(tmp_path / "inner.zip", [(PLACE, b"zipped")]).read_bytes()
    whole = zipped(
        tmp_path / "class.zip",
        [
            ("Jane Doe_1_assignsubmission_file/attention.py", b"plain"),
            ("John Roe_2_assignsubmission_file/work.zip", inner),
            ("doejim_3_44_attention.py", b"loose"),
            ("__MACOSX/._x", b""),
        ],
    )
    assert {one.name: one.files for one in submissions(whole)} == {
        "Jane Doe": {"attention": b"plain"},
        "John Roe": {"attention": b"zipped"},
        "doejim": {"attention": b"loose"},
    }


def packed(tmp_path, names):
    """Who handed in what, where one zip file holds these names, each file with its own name in it."""
    inner = zipped(tmp_path / "inner.zip", [(PLACE, b"zipped")]).read_bytes()
    members = [(name, inner if name.endswith(".zip") else name.encode()) for name in names]
    return {one.name: one.files for one in submissions(zipped(tmp_path / "week3.zip", members))}


def test_a_class_of_which_one_student_kept_the_folders_is_a_class(tmp_path):
    found = packed(
        tmp_path,
        [
            f"Jane_1_assignsubmission_file/{PLACE}",
            "John_2_assignsubmission_file/attention.py",
            "Jim_3_assignsubmission_file/work.zip",
        ],
    )
    assert found == {
        "Jane": {"attention": f"Jane_1_assignsubmission_file/{PLACE}".encode()},
        "John": {"attention": b"John_2_assignsubmission_file/attention.py"},
        "Jim": {"attention": b"zipped"},
    }


@pytest.mark.parametrize(
    "others", [["u2/attention.py"], ["u2/work.zip"], ["u2.zip"], ["roe_2_9_attention.py"]]
)
def test_a_class_without_a_platform_may_be_of_one_course_and_other_things(tmp_path, others):
    assert len(packed(tmp_path, [f"u1/{PLACE}", *others])) == 2


def test_a_path_from_the_root_changes_nothing_for_the_students_beside_it(tmp_path):
    found = packed(tmp_path, ["class/u1/attention.py", "class/u2/attention.py", "/etc/attention.py"])
    assert found == {
        "u1": {"attention": b"class/u1/attention.py"},
        "u2": {"attention": b"class/u2/attention.py"},
        "/": {},
    }


def test_a_moodle_zip_of_one_student_names_that_student(tmp_path):
    assert list(packed(tmp_path, [f"Jane Doe_1_assignsubmission_file/{PLACE}"])) == ["Jane Doe"]


@pytest.mark.parametrize(
    ("names", "students"),
    [
        ([f"u1/{PLACE}", f"u2/{PLACE}"], {"u1", "u2"}),
        (["u1/attention.py", "u2.zip", "u3/notes.txt", ".DS_Store"], {"u1", "u2", "u3"}),
        (["doejane_1_8_attention.py", "poe_2_9_attention.py", "poe_2_9_essay.pdf"], {"doejane", "poe"}),
        (["Jane_1_assignsubmission_file/attention.py", "u2/attention.py"], {"Jane", "u2"}),
        (["u1/attention.py", "u2/attention.py", "attention.py"], {"u1", "u2", "attention"}),
    ],
    ids=["courses", "mixed", "Canvas", "Moodle", "stray"],
)
def test_a_folder_around_the_students_makes_no_difference(tmp_path, names, students):
    assert packed(tmp_path, names).keys() == students
    assert packed(tmp_path, [f"submissions/{name}" for name in names]).keys() == students
    assert packed(tmp_path, [f"a\\b\\{name}" for name in names]).keys() == students


@pytest.mark.parametrize(
    "names",
    [
        [f"course/{PLACE}", "course/book/attention.py"],
        [PLACE, "attention.py"],
        [f"course/{PLACE}", "course/attention.py", "course/old/attention.py"],
        ["attention.py", "qkv.py", "notes.txt"],
    ],
    ids=["a course", "its inside", "with copies", "chapters"],
)
def test_a_students_zip_is_one_submission(tmp_path, names):
    found = packed(tmp_path, names)
    assert list(found) == ["week3"]
    assert found["week3"]["attention"] == names[0].encode()


@pytest.mark.parametrize(
    "names",
    [[f"course/{PLACE}", f"course/old/{PLACE}"], ["course/attention.py", "course/qkv.py"]],
    ids=["an older course", "chapters"],
)
def test_what_lies_in_a_students_folder_is_not_taken_for_students(tmp_path, names):
    found = packed(tmp_path, names)
    assert list(found) == ["course"]
    assert found["course"]["attention"] == names[0].encode()


@pytest.mark.parametrize("others", [["u1/src/nexttoken/qkv.py"], ["u1.zip"], ["doejane_1_2_qkv.py"]])
def test_a_stray_chapter_makes_no_course_of_a_folder_of_students(tmp_path, others):
    inner = zipped(tmp_path / "inner.zip", [(PLACE, b"zipped")]).read_bytes()
    (tmp_path / "inner.zip").unlink()
    for name in others:
        put(tmp_path, name, inner if name.endswith(".zip") else b"x")
    put(tmp_path, "attention.py")
    assert {one.name for one in submissions(tmp_path)} > {"attention"}


def test_chapters_beside_other_things_are_one_submission(tmp_path):
    for name in ("attention.py", "qkv.py", "notes/todo.txt", "solutions/attention.py", ".old/attention.py"):
        put(tmp_path, f"jane/{name}")
    zipped(tmp_path / "jane" / "pictures.zip", [("a.png", b"")])
    found = only(tmp_path / "jane")
    assert (found.name, found.files.keys(), found.notes) == ("jane", {"attention", "qkv"}, [])


def test_a_course_itself_is_one_submission(root):
    found = only(root)
    assert found.files.keys() == set(course.chapters())


def test_where_there_is_nothing_it_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no"):
        submissions(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no submission"):
        submissions(tmp_path)


def test_a_folder_of_too_many_files_is_left_at_some_point(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "NAMES_LIMIT", 5)
    for number in range(9):
        put(tmp_path, f"jane/{number}.txt")
    assert "more than 5 files" in only(tmp_path).notes[0]


# Who is who


def sub(name, number="", time=0.0):
    return Submission(name, number, {"attention": b""}, [], time)


ROSTER = [
    Student("u1", "Jane Doe", "jane@example.org", ("101",)),
    Student("u2", "Édgar Poe-Smith", "edgar@example.org"),
    Student("u3", "Doe, John", "jd@example.org", ("jdoe",)),
]


@pytest.mark.parametrize(
    ("submission", "student"),
    [
        (sub("u1"), "u1"),
        (sub("doejane"), "u1"),
        (sub("whoever", number="101"), "u1"),
        (sub("Jane Doe"), "u1"),
        (sub("hw3_u2_final"), "u2"),
        (sub("poesmithedgar"), "u2"),
        (sub("Edgar Poe-Smith"), "u2"),
        (sub("John Doe"), "u3"),
        (sub("jdoe"), "u3"),
        (sub("jd"), "u3"),
        (sub("u12"), None),
        (sub("Nobody"), None),
        (sub("odjenae"), None),
    ],
)
def test_a_submission_finds_its_student(submission, student):
    group = class_of([submission], ROSTER)
    assert list(group.submissions) == [student or submission.name]
    assert [s.id for s in group.strangers] == ([] if student else [submission.name])


def test_missing_and_double_submissions_are_listed_and_the_latest_counts():
    early, late = sub("Jane Doe", time=1.0), sub("doejane", time=2.0)
    group = class_of([early, late], ROSTER)
    assert group.submissions["u1"] is late
    assert [student.id for student in group.missing] == ["u2", "u3"]
    assert [(s.id, names) for s, names in group.double] == [("u1", ["doejane", "Jane Doe"])]


def test_a_name_that_fits_two_is_nobodys():
    twins = [Student("1", "Jane Doe"), Student("2", "Doe Jane")]
    assert [s.id for s in class_of([sub("doejane")], twins).strangers] == ["doejane"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,name,email\n7,Jane Doe,j@x.org\n", ("7", "Jane Doe", "j@x.org")),
        (
            "\ufeffFirst name;Surname;ID number;Email address\nJane;Doe;7;j@x.org\n",
            ("7", "Jane Doe", "j@x.org"),
        ),
        (
            'Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"Doe, Jane",11,7,jdoe,A\n',
            ("7", "Doe, Jane", ""),
        ),
    ],
    ids=["plain", "Moodle", "Canvas"],
)
def test_rosters_come_from_many_programs(tmp_path, text, expected):
    file = tmp_path / "roster.csv"
    file.write_text(text, encoding="utf-8")
    (student,) = read_roster(file)
    assert (student.id, student.name, student.email) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour\nred\n", "lists nobody"),
        ("name\nJane\n", "has no id"),
        ("id,name\n1,A\n1,B\n", "more than once: 1"),
        ("", "is empty"),
    ],
)
def test_a_roster_that_will_not_do_is_refused(tmp_path, text, problem):
    file = tmp_path / "roster.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=problem):
        read_roster(file)


def test_words_of_a_name_are_tried_in_every_order():
    assert roster._orders("Doe, Jane") == {"doejane", "janedoe"}
