"""The pages' texts in Chinese and English."""

from collections.abc import Callable, Mapping
from functools import cache

from mystocks_dagster.api.languages import LANGUAGES, Language
from mystocks_dagster.api.pages import words_market, words_tasks
from mystocks_dagster.taskfile.field_types import EXECUTION_MODES, TASK_TYPES
from mystocks_dagster.taskfile.form import Words, form_fields
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.schedule import Schedule

#: Key to Chinese and English. Labels of the task file's fields are declared with the fields, see `_field_labels`.
_WORDS: dict[str, Words] = {
    "tasks": ("任务管理", "Tasks"),
    "new_task": ("新建任务", "New task"),
    "new_group": ("新建任务组", "New group"),
    "edit": ("编辑", "Edit"),
    "delete": ("删除", "Delete"),
    "run": ("运行", "Run"),
    "stop": ("停止", "Stop"),
    "yes": ("是", "Yes"),
    "no": ("否", "No"),
    "params_title": ("参数", "Parameters"),
    "on": ("开", "On"),
    "off": ("关", "Off"),
    "turn_on": ("开启", "Turn on"),
    "turn_off": ("关闭", "Turn off"),
    "reset": ("重置", "Reset"),
    "file_says": ("任务文件：", "task file: "),
    "no_switch": ("手动", "Manual"),
    "save": ("保存", "Save"),
    "cancel": ("取消", "Cancel"),
    "search": ("搜索", "Search"),
    "search_hint": ("编号、名称或标签", "ID, name or tag"),
    "all_types": ("所有类型", "All types"),
    "nothing_found": ("没有符合条件的任务。", "No matching tasks."),
    "name": ("名称", "Name"),
    "type": ("类型", "Type"),
    "kind_group": ("任务组", "Group"),
    "task_count": ("{count} 个任务", "Tasks: {count}"),
    "switch": ("开关", "Switch"),
    "next_run": ("下次运行", "Next run"),
    "last_status": ("最近状态", "Last status"),
    "success_rate": ("成功率", "Success rate"),
    "actions": ("操作", "Actions"),
    "broken": ("有错误，未加载", "Not valid, not loaded"),
    "last_good_version": (
        "任务文件无法使用。页面和运行使用上一个正确的版本，修正之前不能在此编辑。",
        "The task file is not usable. Pages and runs use its last good version. Editing is disabled here until "
        "the file is valid.",
    ),
    "unfilled": (
        "数据湖里还没有行情。装载历史数据：运行任务 bootstrap_market，或在命令行执行",
        "The lake has no bars yet. Load the market's past: run the task bootstrap_market, or on the command line",
    ),
    "not_loaded": ("Dagster 界面尚未加载已保存的任务文件。", "Dagster's UI has not loaded the saved task file yet."),
    "reloading": ("Dagster 界面正在加载新版本。", "Dagster's UI is loading the new version."),
    "broken_file": ("任务文件有错误", "The task file is not valid"),
    "never": ("从未运行", "Never run"),
    "weekdays": ("周一 周二 周三 周四 周五 周六 周日", "Mon Tue Wed Thu Fri Sat Sun"),
    "not_trading_day": ("非交易日", "not a trading day"),
    "settings": ("设置", "Settings"),
    "history": ("执行历史", "Execution history"),
    "statistics": ("统计", "Statistics"),
    "window": ("时间范围", "Time range"),
    "window_all": ("全部", "All"),
    "window_7": ("7 天", "7 days"),
    "window_30": ("30 天", "30 days"),
    "total": ("执行次数", "Executions"),
    "success": ("成功", "Success"),
    "failed": ("失败", "Failed"),
    "avg": ("平均耗时", "Average duration"),
    "p95": ("P95 耗时", "P95 duration"),
    "status": ("状态", "Status"),
    "start": ("开始时间", "Start time"),
    "duration": ("耗时", "Duration"),
    "remark": ("说明", "Remark"),
    "seconds": ("秒", "s"),
    "attempts": ("次重试", "retries"),
    "run_id": ("运行", "Run"),
    "log": ("日志", "Log"),
    "cleanup_history": ("清理历史", "Clean up history"),
    "import_tasks": ("导入", "Import"),
    "export_tasks": ("导出", "Export"),
    "no_history": ("暂无执行记录。", "No executions yet."),
    "bars": ("最近执行的耗时，颜色表示状态", "Durations of recent executions; the colour shows the status"),
    "launchpad": ("在 Dagster 中运行", "Dagster's Launchpad"),
    "in_dagster": ("在 Dagster 中查看", "View in Dagster"),
    "job": ("作业", "Job"),
    "runs": ("运行记录", "Runs"),
    "automation": ("调度", "Schedule"),
    "no_daemon": (
        "守护进程没有心跳：定时和排队的运行不会开始。如果刚启动，请等待半分钟；否则请查看运行 mystocks ui 的终端，"
        "或运行 mystocks health。",
        "The daemon has no heartbeat: scheduled and queued runs do not start. If it has just been started, wait "
        "half a minute. Otherwise see the terminal of mystocks ui, or run: mystocks health.",
    ),
    "no_ui": (
        "Dagster 界面没有运行：定时和排队的运行不会开始。请运行 mystocks ui（或 make ui）。",
        "Dagster's UI is not running: scheduled and queued runs do not start. Run: mystocks ui (or make ui).",
    ),
    "used_by": ("被引用", "Used by"),
    "delete_ask": (
        "从任务文件中删除 {name}？执行历史会保留。",
        "Delete {name} from the task file? Its history is kept.",
    ),
    "delete_used": (
        "以下任务和任务组引用了它。强制删除会同时移除这些引用，以及因此没有任务的任务组：",
        "These tasks and groups refer to it. Force delete also removes these references, and a group that is then "
        "empty:",
    ),
    "force": ("强制删除，同时移除上述引用", "Force delete, also remove these references"),
    "only": ("只运行此任务，不运行其依赖", "Run without dependencies"),
    "no_params": ("此任务没有参数。", "This task has no parameters."),
    "default_is": ("默认值：", "Default: "),
    "from_env": ("来自环境变量；留空则不变", "From the environment; leave empty to keep it"),
    "problem_at": ("任务文件未改动", "The task file was not changed"),
    "changed_meanwhile": (
        "打开此表单后，任务文件中的这一项或其默认值已被修改，不同之处见下方标记。再次保存将用此表单覆盖这些修改。",
        "This entry or its defaults were changed in the task file after this form was opened. The fields that "
        "differ are marked below. Saving again overwrites those changes.",
    ),
    "now_in_file": ("任务文件中的当前值：{text}", "Value in the task file: {text}"),
    "refused": ("操作失败", "Operation failed"),
    "section_basic": ("基本信息", "Basic information"),
    "section_schedule": ("调度", "Schedule"),
    "section_advanced": ("高级选项", "Advanced options"),
    "none": ("无", "None"),
    "file": ("任务文件", "Task file"),
    "version": ("版本", "version"),
    "api_docs": ("API 文档", "API docs"),
    "to_content": ("跳到主要内容", "Skip to content"),
    # Messages after a redirect.
    "done_created": ("已新建。", "Created."),
    "done_saved": ("已保存。", "Saved."),
    "done_deleted": ("已删除。", "Deleted."),
    "done_same": ("没有改动。", "No changes."),
    "done_started": ("已开始：", "Started:"),
    "done_stopped": ("已停止。", "Stopped."),
    "done_on": ("已开启。", "Turned on."),
    "done_off": ("已关闭。", "Turned off."),
    "done_reset": ("已重置为任务文件中的设置。", "Reset to the task file's setting."),
    "done_unloaded": (
        "已保存，但 Dagster 界面尚未加载新版本。运行 mystocks reload 可查看原因。",
        "Saved, but Dagster's UI has not loaded the new version. Run mystocks reload to see why.",
    ),
    # States of executions.
    "state_pending": ("等待中", "Pending"),
    "state_running": ("运行中", "Running"),
    "state_success": ("成功", "Success"),
    "state_partial_success": ("部分成功", "Partial success"),
    "state_failed": ("失败", "Failed"),
    "state_skipped": ("跳过", "Skipped"),
    "state_cancelled": ("已取消", "Cancelled"),
    "state_paused": ("已暂停", "Paused"),
    **words_market.WORDS,
    **words_tasks.WORDS,
}

Translate = Callable[..., str]


@cache
def _field_labels() -> Mapping[str, Words]:
    """Return the labels of the task file's fields, task types and execution modes by name."""
    words: dict[str, Words] = {**TASK_TYPES, **EXECUTION_MODES, "group_tasks": form_fields(Group)["tasks"].label}
    for prefix, model in (("schedule.", Schedule), ("", Group), ("", Task)):
        for name, field in form_fields(model).items():
            words[f"{prefix}{name}"] = field.label
    return words


def translator(language: Language) -> Translate:
    """Return a function that translates a key or a pair of texts; an unknown key is returned unchanged."""
    column = LANGUAGES.index(language)

    def translate(key: str | Words, **values: str) -> str:
        words = key if isinstance(key, tuple) else _WORDS.get(key) or _field_labels().get(key, (key, key))
        text = words[column]
        return text.format(**values) if values else text

    return translate
