use quote::{ToTokens as _, format_ident};

use syn::{Block, visit::Visit as _};

use super::{
    collect::Collect,
    node::{Arm, Node},
    payload::{Scope, Typed},
};

/// The outline as indented lines: `line kind name`.
fn outline_of(body: &str) -> Vec<String> {
    let body: Block = syn::parse_str(&format!("{{{body}}}")).unwrap();
    let ctx = format_ident!("ctx");
    let scope = Scope::of(&body, &ctx);
    let mut lines = Vec::new();
    let nodes = Collect::nodes(&scope, |collect| collect.visit_block(&body));
    print(&nodes, "", &mut lines);
    lines
}

fn print(nodes: &[Node], indent: &str, lines: &mut Vec<String>) {
    let deeper = format!("{indent}  ");
    let print_arms = |arms: &[Arm], lines: &mut Vec<String>| {
        for arm in arms {
            let leaves = if arm.leaves { " (leaves)" } else { "" };
            lines.push(format!("{indent}- {}{leaves}", arm.label));
            print(&arm.nodes, &deeper, lines);
        }
    };
    for node in nodes {
        match node {
            Node::Operation {
                kind,
                name,
                value,
                compensation,
                payloads: _,
                line,
            } => {
                let more = [(" of ", value), (" undone by ", compensation)];
                let more = more.iter().filter(|(_, text)| !text.is_empty());
                let more: String = more.map(|(word, text)| format!("{word}{text}")).collect();
                lines.push(format!("{indent}{line} {kind} {name}{more}"));
            }
            Node::Branch {
                condition,
                line,
                arms,
            } => {
                lines.push(format!("{indent}{line} if {condition}"));
                print_arms(arms, lines);
            }
            Node::Loop { head, line, body } => {
                lines.push(format!("{indent}{line} {head}"));
                print(body, &deeper, lines);
            }
            Node::Join { kind, line, arms } => {
                lines.push(format!("{indent}{line} {kind}!"));
                print_arms(arms, lines);
            }
        }
    }
}

#[test]
fn operations_are_named_by_literals_definitions_or_their_source() {
    let body = r#"
        ctx.step("reserve", async || f().await).retries(5).compensate("x", g).await?;
        let approval: Approval = ctx
            .wait_for_signal(format!("approve:{}", order.id))
            .timeout(DAY)
            .await?;
        ctx.remote(steps::charge_card, ChargeInput::new(ctx.uuid(), ctx.run_id())).compensate(steps::refund).await?;
        ctx.remote_named::<u8>("py.score".to_owned(), 1).compensate_named("py.forget").await?;
        ctx.sleep(Duration::from_secs(5)).await;
        ctx.step(name_of( &order ), body).await
    "#;
    assert_eq!(
        outline_of(body),
        [
            "2 step reserve undone by x",
            r#"4 wait_for_signal format!("approve:{}", order.id)"#,
            "7 uuid ",
            "7 remote charge_card undone by refund",
            "8 remote_named py.score undone by py.forget",
            "9 sleep Duration::from_secs(5)",
            "10 step name_of( &order )",
        ]
    );
}

#[test]
fn waits_for_the_outside_are_operations_and_what_they_give_out_is_none() {
    let body = r#"
        let passed: bool = ctx.task("check", async |token| { ctx.step("hidden", f) }).await?;
        ctx.breakpoint("before pay").await;
        let hook = ctx.webhook::<Payment>();
        ctx.step("order", async || shop(hook.url()?).await).await?;
        let paid = hook.wait().timeout(DAY).await?;
        let update = ctx.on_update::<Address, bool>("set-address").validate(|a| ok(a)).await?;
        update.reply(&true)?;
    "#;
    assert_eq!(
        outline_of(body),
        [
            "2 task check",
            "3 breakpoint before pay",
            "4 webhook ",
            "5 step order",
            "7 on_update set-address",
        ]
    );
}

#[test]
fn branches_and_loops_hold_what_they_decide() {
    let body = r#"
        if order.total > 10 { ctx.step("a", f).await?; } else if ctx.random::<bool>() { 1 } else { ctx.now(); }
        match ctx.step("b", f).await? {
            Some(n) if n > 1 => ctx.step("c", f).await?,
            _ => return Ok(()),
        }
        for item in &order.items { ctx.step("d", f).await?; }
        while let Some(x) = ctx.step("e", f).await? { g(x); }
        loop { if done { break; } }
    "#;
    assert_eq!(
        outline_of(body),
        [
            "2 if order.total > 10",
            "- order.total > 10",
            "  2 step a",
            "- ctx.random::<bool>()",
            "  2 random ",
            "- else",
            "  2 now ",
            "3 step b",
            r#"3 if ctx.step("b", f).await?"#,
            "- Some(n) if n > 1",
            "  4 step c",
            "- _ (leaves)",
            "7 for item in &order.items",
            "  7 step d",
            "8 while let Some(x) = ctx.step(\"e\", f).await?",
            "  8 step e",
        ]
    );
}

#[test]
fn a_recorded_choice_shows_what_is_decided_on() {
    let body = r#"
        if ctx.switch("big", order.total > limit)? { ctx.step("a", f).await?; }
        match (ctx.switch("tier", tier_of(&order))?) { Tier::Gold => ctx.note("gold"), _ => {} }
    "#;
    assert_eq!(
        outline_of(body),
        [
            "2 switch big of order.total > limit",
            "2 if order.total > limit",
            "- order.total > limit",
            "  2 step a",
            "3 switch tier of tier_of(&order)",
            "3 if tier_of(&order)",
            "- Tier::Gold",
            "  3 note gold",
            "- _",
        ]
    );
}

#[test]
fn joins_have_an_arm_for_each_side() {
    let body = r#"
        let both = tokio::try_join!(ctx.step("a", f), async { ctx.step("b", f).await?; ctx.step("c", f).await })?;
        tokio::select! {
            biased;
            answer = ctx.wait_for_signal("go") => ctx.step("d", f).await?,
            () = ctx.sleep(DAY) => {}
            else => ctx.rollback().await?,
        }
        let all = vec![ctx.step("e", f)];
        let more = items.map(|i| ctx.step("g", f));
    "#;
    assert_eq!(
        outline_of(body),
        [
            "2 try_join!",
            "- ",
            "  2 step a",
            "- ",
            "  2 step b",
            "  2 step c",
            "3 select!",
            "- answer",
            "  5 wait_for_signal go",
            "  5 step d",
            "- ()",
            "  6 sleep DAY",
            "- else",
            "  7 rollback ",
            "9 step e",
            "10 step g",
        ]
    );
}

#[test]
fn arms_that_return_are_told_apart() {
    let body = r#"
        if refused { ctx.step("a", f).await?; return Ok(0); } else { ctx.step("b", f).await?; }
        match kind {
            Kind::X => return ctx.step("c", f).await,
            Kind::Y => { if x { return Ok(1) } else { return Ok(2) } }
            _ => { if x { return Ok(1); } }
        }
    "#;
    assert_eq!(
        outline_of(body),
        [
            "2 if refused",
            "- refused (leaves)",
            "  2 step a",
            "- else",
            "  2 step b",
            "3 if kind",
            "- Kind::X (leaves)",
            "  4 step c",
            "- Kind::Y (leaves)",
            "- _",
        ]
    );
}

#[test]
fn step_bodies_and_inner_functions_are_not_part_of_the_flow() {
    let body = r#"
        ctx.step("a", async || { if x { ctx.step("hidden", f) } });
        fn inner(ctx: &WorkflowCtx) { ctx.step("hidden", f); }
        if order.total > 10 { return Err(x); }
        other.step("hidden", f);
    "#;
    assert_eq!(outline_of(body), ["2 step a"]);
}

/// The payload and the answer of each operation that has one: `name payload`, `name payload/answer`.
fn payloads_of(body: &str) -> Vec<String> {
    let body: Block = syn::parse_str(&format!("{{{body}}}")).unwrap();
    let ctx = format_ident!("ctx");
    let scope = Scope::of(&body, &ctx);
    let nodes = Collect::nodes(&scope, |collect| collect.visit_block(&body));
    let mut lines = Vec::new();
    list_payloads(&nodes, &mut lines);
    lines
}

fn list_payloads(nodes: &[Node], lines: &mut Vec<String>) {
    let typed = |typed: &Typed| match typed {
        Typed::Absent => None,
        Typed::Unknown => Some("?".to_owned()),
        Typed::As(ty) => Some(ty.to_token_stream().to_string().replace(' ', "")),
    };
    for node in nodes {
        match node {
            Node::Operation { name, payloads, .. } => {
                let Some(payload) = typed(&payloads.payload) else {
                    continue;
                };
                let reply = typed(&payloads.reply);
                let reply = reply.map(|reply| format!("/{reply}")).unwrap_or_default();
                lines.push(format!("{name} {payload}{reply}"));
            }
            Node::Branch { arms, .. } | Node::Join { arms, .. } => {
                arms.iter().for_each(|arm| list_payloads(&arm.nodes, lines));
            }
            Node::Loop { body, .. } => list_payloads(body, lines),
        }
    }
}

#[test]
fn a_payload_has_the_type_that_is_written() {
    let body = r#"
        let a = ctx.wait_for_signal::<Approval>("turbofish").await?;
        let b: Vec<Item> = ctx.wait_for_signal("let").timeout(DAY).await?;
        let c: Result<Option<u8>> = (ctx.wait_for_event("result").await);
        let d: SignalWait<shop::Paid> = ctx.wait_for_signal("builder").run_scoped();
        let e = ctx.on_update::<Address, bool>("both").await?;
        let f: Update<Address, ()> = ctx.on_update("update").await?;
        let g = ctx.on_update::<_, bool>("validator").validate(|to: &Address| check(to)).await?;
        let hook: Webhook<Payment> = ctx.webhook();
        let i: bool = ctx.task("task", async |token| Ok(())).await?;
        ctx.set_event::<Status>("value", &status)?;
        tokio::select! { biased; x = ctx.wait_for_signal::<u32>("select") => {}, () = ctx.sleep(DAY) => {} }
    "#;
    assert_eq!(
        payloads_of(body),
        [
            "turbofish Approval",
            "let Vec<Item>",
            "result Option<u8>",
            "builder shop::Paid",
            "both Address/bool",
            "update Address/()",
            "validator Address/bool",
            " Payment",
            "task bool",
            "value Status",
            "select u32",
        ]
    );
}

#[test]
fn a_type_that_is_not_written_or_cannot_be_named_beside_the_function_is_not_known() {
    let body = r#"
        use shop::Paid as Money;
        struct Inner;
        let a = ctx.wait_for_signal("nothing").await?;
        let b: Thing = ctx.wait_for_signal("changed").await.unwrap_or_default();
        let c: Vec<_> = ctx.wait_for_signal("placeholder").await?;
        let d: Vec<Inner> = ctx.wait_for_signal("declared inside").await?;
        let e: Money = ctx.wait_for_event("used inside").await?;
        let f: Cow<'a, str> = ctx.wait_for_signal("lifetime").await?;
        let g: a_macro!() = ctx.wait_for_signal("macro").await?;
        let h: Alias = ctx.on_update("alias").await?;
        let i: Alias = ctx.wait_for_signal("alias of a result").await;
        let j: u8 = ctx.step("is no wait", f).await?;
        for k in ctx.wait_for_signal("looped").await? { let l: u8 = k; }
    "#;
    assert_eq!(
        payloads_of(body),
        [
            "nothing ?",
            "changed ?",
            "placeholder ?",
            "declared inside ?",
            "used inside ?",
            "lifetime ?",
            "macro ?",
            "alias ?/?",
            "alias of a result ?",
            "looped ?",
        ]
    );
    for open in [
        "use shop::*;",
        "#[cfg(test)] let x = 1;",
        "macro_rules! m { () => {} }",
    ] {
        let body = format!(r#"{open} ctx.wait_for_signal::<u8>("x").await?;"#);
        assert_eq!(payloads_of(&body), ["x ?"], "{open}");
    }
}
